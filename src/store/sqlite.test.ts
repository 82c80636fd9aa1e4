import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFile, open, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test, type TestContext } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { describeStore } from './conformance.ts';
import {
  accept,
  claim,
  claimOne,
  CLUSTER,
  COMPLETED,
  NOW,
  openScope,
  seen,
  withPending,
  type OpenedStore,
} from './conformance/fixture.ts';
import { openSqliteStore } from './sqlite.ts';
import { DEFAULT_RETENTION } from './looking-back.ts';
import type { Store } from './store.ts';
import { openAt, temporaryFile } from '../testing/test-store.ts';

async function openWithReopen(t: TestContext, path: string): Promise<OpenedStore> {
  const store = await openAt(t, path);
  const reopen = async () => {
    await store.close();
    return openAt(t, path);
  };
  return { store, reopen };
}

describeStore('SQLite store in a file', {
  durable: true,
  open: async (t) => openWithReopen(t, await temporaryFile(t)),
});

describeStore('SQLite store in memory', {
  durable: false,
  open: (t) => openWithReopen(t, ':memory:'),
});

describe('openSqliteStore()', () => {
  test('creates its files with mode 0600', async (t) => {
    const path = await temporaryFile(t);
    await openScope(await openAt(t, path));
    for (const file of [path, `${path}-wal`, `${path}-shm`]) assert.equal((await stat(file)).mode & 0o777, 0o600, file);
  });

  test('refuses the schema of a newer version, and says what to do', async (t) => {
    const path = await temporaryFile(t);
    await (await openAt(t, path)).close();
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 999');
    db.close();
    await assert.rejects(openAt(t, path), {
      code: 'CONFIG',
      message: /schema is version 999.*run the newer watchchain/,
    });
  });

  test('refuses an older schema instead of migrating it when not opened as the writer', async (t) => {
    const path = await temporaryFile(t);
    await (await openAt(t, path)).close();
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 1');
    await assert.rejects(openSqliteStore({ path, writer: false }), {
      code: 'CONFIG',
      message:
        /its schema is version 1, this watchchain has \d+; use the watchchain version that runs on it, or start this version/,
    });
    assert.deepEqual({ ...db.prepare('PRAGMA user_version').get() }, { user_version: 1 });
    db.close();
  });

  test('refuses the database of another program, and leaves it as it was', async (t) => {
    const path = await temporaryFile(t);
    const db = new DatabaseSync(path);
    db.exec('CREATE TABLE theirs (a)');
    db.close();
    const before = await readFile(path);
    await assert.rejects(openAt(t, path), { code: 'CONFIG', message: /another program/ });
    assert.deepEqual(await readFile(path), before);
  });

  test('refuses a file that is not a database, and leaves it as it was', async (t) => {
    const path = await temporaryFile(t);
    await writeFile(path, 'notes of someone '.repeat(500));
    await assert.rejects(openAt(t, path), { code: 'CONFIG', message: /damaged; move it away/ });
    assert.equal((await stat(path)).size, 17 * 500);
  });

  test('says what to do when damage is found after opening', async (t) => {
    const path = await temporaryFile(t);
    const store = await openAt(t, path);
    await withPending(
      store,
      Array.from({ length: 500 }, (_, n) => `web-${n}`),
    );
    await store.close();
    const db = new DatabaseSync(path);
    const root = Number(db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'changes'").get()?.['rootpage']);
    db.close();
    await using file = await open(path, 'r+');
    await file.write(Buffer.alloc(4096, 'x'), 0, undefined, (root - 1) * 4096);
    await assert.rejects((await openAt(t, path)).history({ limit: 10 }), {
      code: 'STORE_FAILED',
      message: /store\.db: it is damaged; move it away/,
    });
  });

  describe('with a store whose writer was killed, everything still in its log', () => {
    const killed = async (t: TestContext): Promise<string> => {
      const [live, path] = [await temporaryFile(t), await temporaryFile(t)];
      await withPending(await openAt(t, live), ['web']);
      for (const end of ['', '-wal', '.running', '.ballast']) await copyFile(`${live}${end}`, `${path}${end}`);
      return path;
    };

    test('refuses to start over when the log was removed', async (t) => {
      const path = await killed(t);
      await rm(`${path}-wal`);
      await assert.rejects(openAt(t, path), {
        code: 'CONFIG',
        message: /store\.db: it is empty, but was not before; put a copy/,
      });
      await rm(path);
      assert.deepEqual(await (await openAt(t, path)).history({ limit: 10 }), []);
    });

    for (const [how, harm] of [
      ['was moved away', (path: string) => rename(path, `${path}.old`)],
      ['was emptied', (path: string) => truncate(path)],
    ] as const)
      test(`keeps the log when the store ${how}`, async (t) => {
        const path = await killed(t);
        const copy = `${path}.copy`;
        await copyFile(path, copy);
        await harm(path);
        await assert.rejects(openAt(t, path), {
          code: 'CONFIG',
          message: /but its log is not; put the store back, or move/,
        });
        await rename(copy, path);
        assert.equal((await (await openAt(t, path)).history({ limit: 10 })).length, 1);
      });
  });

  test('refuses a folder that does not exist', async (t) => {
    const path = join(await temporaryFile(t), 'none', 'store.db');
    await assert.rejects(openAt(t, path), { code: 'CONFIG', message: /Cannot open the store/ });
  });

  test('reports that the process has reached its limit of open files', async (t) => {
    const path = await temporaryFile(t);
    await (await openAt(t, path)).close();
    const script = ['--input-type=module', '-e', OPEN_WITH_FEW_FILES, path];
    const limited = ['-c', 'ulimit -n 64 && exec "$@"', 'sh', process.execPath, ...script];
    const problems = execFileSync('sh', limited, { encoding: 'utf8' }).trimEnd().split('\n');
    assert.equal(problems.length, 3);
    for (const problem of problems)
      assert.match(problem, /^Cannot open the store .*this process may not open more files; raise the limit/);
  });

  test('makes an earlier writer stale: it can still read, but its writes are refused', async (t) => {
    const path = await temporaryFile(t);
    const first = await openAt(t, path);
    const scope = await openScope(first);
    await openAt(t, path);
    await assert.rejects(accept(first, scope, seen('web', 1)), { code: 'STALE_EPOCH' });
    assert.deepEqual(await first.history({ limit: 10 }), []);
  });

  test('refuses an earlier term of a Lease that another process has held since, and accepts a new Lease', async (t) => {
    const path = await temporaryFile(t);
    const open = async (lease: string, number: number): Promise<void> =>
      (await openSqliteStore({ path, cluster: CLUSTER, term: { lease, number } })).close();
    await open('uid-1', 3);
    await open('uid-1', 4);
    await assert.rejects(open('uid-1', 3), {
      code: 'STALE_EPOCH',
      message: /at term 4, we are at 3; the lease was lost, so restart; if the Lease was reset, .*, delete it$/,
    });
    await open('uid-1', 4);
    // Someone has deleted the Lease.
    await open('uid-2', 0);
    await (await openAt(t, path)).close();
  });

  test('replays and discards dead letters while another process owns the store', async (t) => {
    const path = await temporaryFile(t);
    const owner = await openAt(t, path);
    await withPending(owner, ['web', 'api']);
    for (let i = 0; i < 2; i++) {
      const [delivery] = (await owner.claim({ chain: 'default', limit: 1, now: NOW, stateful: [] })).deliveries;
      await owner.deadLetter(delivery?.id ?? 0, { handler: 'h', error: 'e', attempts: 4 });
    }
    const beside = await openAt(t, path, false);
    const [web, api] = await beside.deadLetters({ limit: 10 });
    await beside.replay([web?.id ?? 0]);
    await beside.discard([api?.id ?? 0]);
    const { id, change } = await claimOne(owner);
    assert.deepEqual([change.name, change.flags.replayed], ['web', true]);
    await owner.complete(id, COMPLETED);
    assert.deepEqual(await beside.deadLetters({ limit: 10 }), []);
  });

  for (const [what, forget] of [
    ['changes', async (store: Store) => store.forget(await store.ended({}))],
    [
      'dead letters',
      async (store: Store) => {
        const letters = await store.deadLetters({ limit: 100 });
        return store.discard(
          letters.map(({ id }) => id),
          { withChanges: true },
        );
      },
    ],
  ] as const) {
    test(`forgets ${what} with large manifests in several transactions`, async (t) => {
      const path = await temporaryFile(t);
      const owner = await openAt(t, path);
      const scope = await openScope(owner);
      for (let n = 1; n <= 24; n++) {
        const body = Buffer.from(JSON.stringify({ metadata: { name: 'web' }, n, large: 'x'.repeat(1_000_000) }));
        await accept(owner, scope, seen('web', n, { body }));
        const { id } = await claimOne(owner);
        if (what === 'changes') await owner.complete(id, COMPLETED);
        else await owner.deadLetter(id, { handler: 'default/slack', error: 'e', attempts: 4 });
      }
      const beside = await openAt(t, path, false);
      await beside.erase();
      assert.equal((await forget(beside)).length, 24);
      // One large transaction would be in the log as a whole; between several, the log is copied into the store.
      assert.ok((await stat(`${path}-wal`)).size < 16_000_000);
      assert.deepEqual(await owner.history({ limit: 1 }), []);
    });
  }

  test('compact() and erase() succeed beside writes made at the same time', async (t) => {
    const store = await openAt(t, await temporaryFile(t));
    await Promise.all([store.setFact('a', '1'), store.compact(), store.setFact('b', '2')]);
    const [, erased] = await Promise.all([store.setFact('c', '3'), store.erase(), store.setFact('d', '4')]);
    assert.equal(erased, true);
    assert.deepEqual(await Promise.all(['a', 'b', 'c', 'd'].map((name) => store.getFact(name))), ['1', '2', '3', '4']);
  });

  test('leaves no rows that nothing refers to', async (t) => {
    const path = await temporaryFile(t);
    const store = await openAt(t, path);
    const scope = await openScope(store);
    const silent = { silent: true } as const;
    await accept(store, scope, seen('a', 1), seen('a', 2), seen('b', 1, silent), seen('b', 2, silent), seen('c', 1));
    await accept(
      store,
      scope,
      { ...seen('a', 3), type: 'gone' },
      seen('c', 1),
      seen('d', 1),
      seen('d', 1, { uid: 'uid-2' }),
    );
    await store.stage(scope, [seen('e', 1), seen('c', 1), seen('f', 1)]);
    await store.accept({ scope, observations: [], staged: true });
    await store.stage(scope, [seen('g', 1)]);
    for (;;) {
      const { deliveries } = await store.claim({ chain: 'default', limit: 100, now: NOW, stateful: [] });
      if (deliveries.length === 0) break;
      const forks = { chains: ['default/a', 'default/b'], edits: '{"notes":{}}' };
      for (const { id } of deliveries) await store.complete(id, COMPLETED, { forks });
    }
    for (const chain of ['default/a', 'default/b']) await endAll(store, chain);
    assert.equal(await store.prune({ maxAgeMs: 0, maxBytes: 0 }, NOW + 1), 9);
    await store.forgetScope(scope);
    await store.close();
    const db = new DatabaseSync(path);
    const rows = ['bodies', 'edits', 'baseline', 'staged', 'changes', 'deliveries', 'failures'].map(
      (table) => db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'],
    );
    const bytes = db.prepare("SELECT value FROM facts WHERE name = 'store.history-bytes'").get()?.['value'];
    db.close();
    assert.deepEqual([...rows, bytes], [0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

/** Completes or discards all pending deliveries of a chain. */
async function endAll(store: Store, chain: string): Promise<void> {
  for (;;) {
    const { deliveries } = await store.claim({ chain, limit: 100, now: NOW, stateful: [] });
    if (deliveries.length === 0) return;
    for (const [n, { id }] of deliveries.entries()) {
      if (n % 2 === 0) await store.complete(id, COMPLETED);
      else await store.deadLetter(id, { handler: `${chain}/slack`, error: 'e', attempts: 1 });
      await store.discard([id]);
    }
  }
}

/** Prints the errors when 0, 1 and 2 more files may be opened: the store needs three. */
const OPEN_WITH_FEW_FILES = `
  const { closeSync, openSync } = await import('node:fs');
  const { openDatabase } = await import(${JSON.stringify(new URL('./database.ts', import.meta.url).href)});
  const [, path] = process.argv;
  const taken = [];
  try {
    for (;;) taken.push(openSync('/dev/null'));
  } catch {}
  for (const left of [0, 1, 2]) {
    if (left > 0) closeSync(taken.pop());
    try {
      openDatabase(path, { writer: false }).close();
    } catch (thrown) {
      process.stdout.write(thrown.message + '\\n');
    }
  }
`;

test('prune() removes old changes even behind one seen while the clock was ahead', async (t) => {
  const DAY_MS = 24 * 3_600_000;
  let now = NOW + 365 * DAY_MS;
  const clock = Object.assign(new FakeClock(), { now: () => now });
  const store = await openSqliteStore({ path: ':memory:', cluster: CLUSTER, clock });
  t.after(() => store.close());
  const scope = await withPending(store, ['ahead']);
  now = NOW;
  await accept(store, scope, seen('web', 1));
  const kept = async () => (await store.history({ limit: 10 })).map(({ name }) => name);
  for (const { id } of (await claim(store)).deliveries) await store.complete(id, COMPLETED);
  assert.equal(await store.prune(DEFAULT_RETENTION, NOW + 7 * DAY_MS), 0);
  assert.equal(await store.prune(DEFAULT_RETENTION, NOW + 8 * DAY_MS), 1);
  assert.deepEqual(await kept(), ['ahead']);
  assert.equal(await store.prune({ ...DEFAULT_RETENTION, maxBytes: 0 }, NOW), 1, 'the size limit still removes it');
});
