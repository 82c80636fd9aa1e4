/** P8, checked after every fault: each change has exactly one end, and nothing is left over. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import type { Store } from '../../src/store/store.ts';

/** What may remain in the end, over all chains; default: nothing. */
export interface Leftovers {
  readonly dead?: number;
  readonly pending?: number;
}

/** Asserts that the counters of every chain balance, with this total of dead letters and pending changes. */
export async function assertBalanced(store: Store, leftovers: Leftovers = {}): Promise<void> {
  const balances = await store.balances();
  for (const balance of balances) {
    const { accepted, replayed, completed, halted, dead, superseded, discarded, pending } = balance;
    const ended = completed + halted + dead + superseded + discarded;
    assert.equal(accepted + replayed, ended + pending, `P8: ${JSON.stringify(balance)}`);
  }
  const sum = (of: 'dead' | 'pending') => balances.reduce((total, balance) => total + balance[of], 0);
  assert.deepEqual([sum('dead'), sum('pending')], [leftovers.dead ?? 0, leftovers.pending ?? 0], 'dead and pending');
}

/** {@link assertBalanced} for a state folder, whether or not a process holds it. */
export async function assertFolderBalanced(folder: string, leftovers?: Leftovers): Promise<void> {
  await withStore(folder, (store) => assertBalanced(store, leftovers));
}

/** Reads a state folder, even while a process holds it. */
export async function withStore<T>(folder: string, read: (store: Store) => Promise<T>): Promise<T> {
  const store = await openSqliteStore({
    path: path.join(folder, 'store.db'),
    cluster: { id: 'test', name: 'test' },
    writer: false,
  });
  try {
    return await read(store);
  } finally {
    await store.close();
  }
}
