import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A new folder, open to its owner only, which is removed with all in it when the test has ended. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'watchchain-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
