import assert from 'node:assert/strict';
import fs from 'node:fs';
import { stat, truncate } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';
import { describe, test } from 'node:test';
import { codeOf } from '../errors.ts';
import { temporaryFile } from '../testing/test-store.ts';
import { openDatabase } from './database.ts';
import { Engine, type Call } from './engine.ts';
import { packObservations } from './observations.ts';
import type { Operations } from './operations.ts';

const setFact = (id: number, name: string): Call => ({ id, name: 'setFact', args: [name, 'x'] });

type Named = readonly [name: keyof Operations, ...args: unknown[]];

/** The answer to each call; `refused` for an error. */
function run(engine: Engine, ...calls: readonly Named[]): readonly unknown[] {
  const { replies } = engine.run(calls.map(([name, ...args], id) => ({ id, name, args })));
  return replies.map((reply) => ('error' in reply ? 'refused' : reply.value));
}

const PODS = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  resource: 'pods',
  namespace: '',
  labelSelector: '',
  fieldSelector: '',
};
const WRITER = { writer: true };
const REFUSED: Named = ['complete', 999, { kind: 'completed' }, 2_000, {}];

/** Accepts `count` new objects, seen at `now`. */
function accept(engine: Engine, chains: readonly string[], count: number, now: number): void {
  const [scope] = run(engine, ['openScope', { ...PODS, chains }]) as [{ readonly id: number }];
  const seen = Array.from({ length: count }, (_, n) => ({
    type: 'seen' as const,
    key: `shop/web-${n}`,
    uid: `${n}`,
    resourceVersion: `${now}`,
    digest: now,
    body: Buffer.from('{}'),
  }));
  run(engine, ['accept', { scope: scope.id, observations: packObservations(seen), cursor: '1' }, now]);
}

describe('Engine.run()', () => {
  test('redoes a call rolled back by the failure of another, including in-memory state: completing a suspect', async (t) => {
    const file = await temporaryFile(t);
    const claim: Named = ['claim', { chain: 'log', limit: 8, now: 1_000, stateful: [], atOnce: 1 }];
    const crashed = new Engine(openDatabase(file, WRITER), WRITER);
    accept(crashed, ['log'], 3, 1_000);
    run(crashed, claim);
    const engine = new Engine(openDatabase(file, WRITER), WRITER);
    const [alone] = run(engine, claim) as [{ readonly deliveries: readonly { readonly id: number }[] }];
    assert.equal(alone.deliveries.length, 1);
    const complete: Named = ['complete', alone.deliveries[0]?.id, { kind: 'completed' }, 2_000, {}];
    assert.deepEqual(
      run(engine, complete, REFUSED),
      [true, 'refused'],
      'other deliveries may have waited for the suspect',
    );
    engine.close();
  });

  test('redoes a call rolled back by the failure of another, including in-memory state: a prune', () => {
    const engine = new Engine(openDatabase(':memory:', WRITER), WRITER);
    const [old, now] = [1_000, 9_000_000_000];
    accept(engine, [], 500, old);
    accept(engine, [], 20, now);
    const prune: Named = ['prune', { maxAgeMs: 1_000, maxBytes: 1e12 }, now, 0];
    assert.deepEqual(run(engine, prune, REFUSED), [{ pruned: 500, to: 500 }, 'refused']);
    assert.equal((run(engine, ['history', { limit: 1_000 }])[0] as readonly unknown[]).length, 20);
    engine.close();
  });

  test('answers reads and rejects writes while another process writes', async (t) => {
    const file = await temporaryFile(t);
    const db = openDatabase(file, WRITER);
    const engine = new Engine(db, WRITER);
    db.exec('PRAGMA busy_timeout = 0');
    const other = openDatabase(file, WRITER);
    other.exec('BEGIN IMMEDIATE');
    const get: Named = ['getFact', 'a'];
    assert.deepEqual(run(engine, get, ['setFact', 'a', 'x'], get, ['setFact', 'b', 'x']), [
      undefined,
      'refused',
      undefined,
      'refused',
    ]);
    other.exec('ROLLBACK');
    other.close();
    assert.deepEqual(run(engine, ['setFact', 'a', 'x'], get), [undefined, 'x']);
    engine.close();
  });

  test('hands out a delivery even if the disk fails to take the note of it', async (t) => {
    const engine = new Engine(openDatabase(await temporaryFile(t), WRITER), WRITER);
    accept(engine, ['log'], 1, 1_000);
    const failing = t.mock.method(fs, 'writeSync', () => {
      throw Object.assign(new Error('i/o error, write'), { code: 'EIO' });
    });
    syncBuiltinESMExports();
    const [claimed] = run(engine, ['claim', { chain: 'log', limit: 8, now: 1_000, stateful: [], atOnce: 1 }]);
    failing.mock.restore();
    syncBuiltinESMExports();
    assert.equal((claimed as { readonly deliveries: readonly unknown[] }).deliveries.length, 1);
    engine.close();
  });

  test('reports an exhausted disk quota as a full disk, although SQLite reports an I/O error', async (t) => {
    const db = openDatabase(await temporaryFile(t), WRITER);
    const prepared = t.mock.method(db, 'prepare');
    const engine = new Engine(db, WRITER);
    const commit = prepared.mock.calls.find(({ arguments: [sql] }) => sql === 'COMMIT')?.result;
    assert.ok(commit);
    const failing = [
      t.mock.method(commit, 'run', () => {
        throw Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 778 });
      }),
      t.mock.method(fs, 'writeSync', () => {
        throw Object.assign(new Error(), { code: 'UNKNOWN', errno: -constants.errno.EDQUOT });
      }),
    ];
    syncBuiltinESMExports();
    const [reply] = engine.run([setFact(1, 'a')]).replies;
    for (const method of failing) method.mock.restore();
    syncBuiltinESMExports();
    assert.equal(reply !== undefined && 'error' in reply && codeOf(reply.error), 'STORE_FULL');
    assert.deepEqual(run(engine, ['getFact', 'a'], ['setFact', 'a', 'x'], ['getFact', 'a']), [
      undefined,
      undefined,
      'x',
    ]);
    engine.close();
  });

  test('keeps its log short after the disk was full, even if it had no room for a ballast at the start', async (t) => {
    const file = await temporaryFile(t);
    const db = openDatabase(file, WRITER);
    const prepared = t.mock.method(db, 'prepare');
    const noRoom = t.mock.method(fs, 'statfsSync', () => ({ bavail: 0, bsize: 4096 }));
    syncBuiltinESMExports();
    const engine = new Engine(db, WRITER);
    noRoom.mock.restore();
    syncBuiltinESMExports();
    const commit = prepared.mock.calls.find(({ arguments: [sql] }) => sql === 'COMMIT')?.result;
    assert.ok(commit);
    const full = t.mock.method(commit, 'run', () => {
      throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 });
    });
    assert.deepEqual(run(engine, ['setFact', 'a', 'x']), ['refused']);
    full.mock.restore();
    for (let n = 0; n < 200; n++) accept(engine, ['log'], 1, n);
    assert.ok((await stat(`${file}-wal`)).size < 500_000);
    engine.close();
  });

  test('completes a ballast that a kill left incomplete', async (t) => {
    const file = await temporaryFile(t);
    const ballastBytes = async () => {
      new Engine(openDatabase(file, WRITER), WRITER).close();
      return (await stat(`${file}.ballast`)).size;
    };
    const bytes = await ballastBytes();
    await truncate(`${file}.ballast`, 100_000);
    assert.equal(await ballastBytes(), bytes);
  });

  test('fails the calls of a rolled-back transaction, and keeps those before and after it', () => {
    const db = openDatabase(':memory:', WRITER);
    // On a full disk SQLite itself rolls the transaction back; a trigger can do the same.
    db.exec(`CREATE TEMP TRIGGER undo BEFORE INSERT ON facts WHEN NEW.name = 'bad'
             BEGIN SELECT RAISE(ROLLBACK, 'no space'); END`);
    const engine = new Engine(db, WRITER);
    const { replies } = engine.run([
      { id: 1, name: 'balances', args: [] },
      setFact(2, 'before'),
      setFact(3, 'bad'),
      setFact(4, 'after'),
    ]);
    assert.deepEqual(
      replies.map((reply) => ['error' in reply ? 'failed' : 'done', reply.id]),
      [
        ['done', 1],
        ['failed', 2],
        ['failed', 3],
        ['done', 4],
      ],
    );
    const facts = engine.run(['before', 'after'].map((name, id): Call => ({ id, name: 'getFact', args: [name] })));
    assert.deepEqual(facts.replies, [
      { id: 0, value: undefined },
      { id: 1, value: 'x' },
    ]);
    engine.close();
  });
});
