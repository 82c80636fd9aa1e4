/** Stores in a file that ends with the test. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryFolder } from './test-folder.ts';
import { FakeClock } from './fake-clock.ts';
import { CLUSTER, NOW } from '../store/conformance/fixture.ts';
import type { Store } from '../store/store.ts';
import { openSqliteStore } from '../store/sqlite.ts';

export async function temporaryFile(t: TestContext): Promise<string> {
  return join(await temporaryFolder(t), 'store.db');
}

export async function openAt(t: TestContext, path: string, writer = true): Promise<Store> {
  const store = await openSqliteStore({ path, cluster: CLUSTER, clock: new FakeClock(NOW), writer });
  t.after(() => store.close());
  return store;
}
