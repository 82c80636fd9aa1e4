/** P8, asked at the end of every fault: each change has exactly one end, and nothing is left over. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import type { Store } from '../../src/store/store.ts';

/** What is not zero in the end, over all chains; default: nothing. */
export interface Leftovers {
  readonly dead?: number;
  readonly pending?: number;
}

/** The books of every chain balance, with these dead letters and these pending in all. */
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

/** {@link assertBalanced} of a state folder that no process holds, or beside the one that does. */
export async function assertFolderBalanced(folder: string, leftovers?: Leftovers): Promise<void> {
  await withStore(folder, (store) => assertBalanced(store, leftovers));
}

/** Reads a state folder beside whoever holds it. */
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
