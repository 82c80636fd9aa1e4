/** What a fault test requires of the machine, and whether the long rounds run. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Set by `make test-faults`: run the long rounds; otherwise a short form of each. */
export const LONG = process.env['WATCHCHAIN_FAULTS'] === 'long';

/** Node's option for a test that only some machines can run. In CI nothing is skipped: what is missing fails there. */
export interface Skip {
  readonly skip: string | false;
}

export const needsMount: Skip = skipUnless('needs root and mount(8): run it as root', canMount);

export const needsRoot: Skip = skipUnless('needs root', () => process.getuid?.() === 0);

export const onlyLong = (why: string): Skip => ({ skip: LONG ? false : `only in make test-faults: ${why}` });

/** Skips, except in CI, what this machine cannot do; `what` says why. */
export function skipUnless(what: string, isThere: () => boolean): Skip {
  return { skip: process.env['CI'] === 'true' || isThere() ? false : what };
}

/** Tries it, since root in a container may not be allowed to mount. */
function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(path.join(tmpdir(), 'watchchain-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(folder);
  }
}
