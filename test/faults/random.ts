/** Reproducible random moments: each test prints its seed. */
import type { TestContext } from 'node:test';

export type Random = () => number;

/** Uses `WATCHCHAIN_SEED`, or else a new seed, and prints it. */
export function seeded(test: TestContext): Random {
  const seed = Number(process.env['WATCHCHAIN_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  test.diagnostic(`again with WATCHCHAIN_SEED=${seed}`);
  let state = seed;
  // mulberry32: small, and good enough to choose moments.
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An integer from `least` to `most`. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}
