/** Stores in a file that ends with the test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { FakeClock } from './fake-clock.ts';
import { CLUSTER, NOW } from '../store/conformance/fixture.ts';
import type { Store } from '../store/store.ts';
import { openSqliteStore } from '../store/sqlite.ts';

export async function temporaryFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'watchchain-store-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, 'store.db');
}

export async function openAt(t: TestContext, path: string, writer = true): Promise<Store> {
  const store = await openSqliteStore({ path, cluster: CLUSTER, clock: new FakeClock(NOW), writer });
  t.after(() => store.close());
  return store;
}
