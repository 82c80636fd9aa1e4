/** What a fault test needs of the machine, and whether the long rounds run. */

/** `make test-faults`: the long rounds; otherwise a short form of each. */
export const LONG = process.env['WATCHCHAIN_FAULTS'] === 'long';
