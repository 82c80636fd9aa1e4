/** Row 57: a store of an older version is migrated completely, and a copy kept; one of a newer version is refused untouched. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { Workdir } from '../e2e/program.ts';
import { assertBalanced } from './balance.ts';
import { Tmpfs } from './mounts.ts';
import { needsMount } from './needs.ts';
import { Service } from './service.ts';

/**
 * `schema-N.sql`: a store as written by version N of the schema, never edited. Six deployments: one change is completed, one
 * waits, one is parked after two attempts, one is a dead letter, one has a wake-up and a state, and one object is deleted.
 */
const FIXTURES = path.resolve(import.meta.dirname, '../../src/store/fixtures');
const VERSIONS = readdirSync(FIXTURES).map((file) => Number(/^schema-(\d+)\.sql$/.exec(file)?.[1]));

/** A time after the fixtures' wake-up and retry are due. */
const LATER = Date.UTC(2026, 11, 1);

function storeOf(version: number, file: string): void {
  const db = new DatabaseSync(file);
  db.exec(readFileSync(path.join(FIXTURES, `schema-${version}.sql`), 'utf8'));
  db.close();
}

const open = (file: string): Promise<Store> =>
  openSqliteStore({ path: file, cluster: { id: 'cluster-1', name: 'test' }, clock: new FakeClock(LATER) });

async function assertCarriedOver(store: Store): Promise<void> {
  const [scope] = await store.scopes();
  assert.deepEqual([scope?.cursor, scope?.objects, await store.getFact('cluster')], ['112', 5, 'cluster-1']);
  const seen = await store.seen(scope?.id ?? 0, undefined, 10);
  assert.deepEqual(
    seen.map(({ key }) => key),
    ['dead', 'done', 'parked', 'timed', 'waiting'].map((name) => `default/${name}`),
  );
  const body = await store.baseline('apps', 'deployments', 'default/dead');
  assert.match(Buffer.from(body ?? []).toString(), /"uid":"uid-dead".*"replicas":2/);
  assert.equal((await store.history({ limit: 10 })).length, 6);
  const [letter] = await store.deadLetters({ limit: 10 });
  assert.deepEqual([letter?.handler, letter?.error, letter?.change.name], ['default/slack', 'answered 404', 'dead']);
  assert.deepEqual(await store.replay([letter?.id ?? 0]), [letter?.id]);
  await assertBalanced(store, { dead: 1, pending: 4 });
  await assertDelivered(store);
  await assertBalanced(store, { dead: 1 });
}

async function assertDelivered(store: Store): Promise<void> {
  const { deliveries } = await store.claim({ chain: 'default', limit: 10, now: LATER, stateful: ['default/wait'] });
  const by = new Map(deliveries.map((delivery) => [`${delivery.change.action} ${delivery.change.name}`, delivery]));
  assert.deepEqual([...by.keys()].toSorted(), [
    'deleted gone',
    'timer timed',
    'updated dead',
    'updated parked',
    'updated waiting',
  ]);
  const replicas = (of: string) => {
    const { before, after } = by.get(of)?.change ?? {};
    return [before, after].map((manifest) => (manifest?.['spec'] as { replicas?: number } | undefined)?.replicas);
  };
  assert.deepEqual(
    [replicas('updated waiting'), replicas('deleted gone')],
    [
      [1, 2],
      [1, undefined],
    ],
  );
  const parked = by.get('updated parked');
  assert.deepEqual([parked?.attempts, parked?.delivered], [2, ['default/log']]);
  assert.deepEqual(by.get('timer timed')?.states.get('default/wait'), { count: 3 });
  for (const { id } of deliveries) await store.complete(id, { kind: 'completed' });
}

describe('a store', () => {
  for (const version of VERSIONS) {
    test(`57 of schema ${version}: baseline, cursor, pending changes, dead letters, states and wake-ups are carried over`, async () => {
      await using workdir = await Workdir.make();
      const file = workdir.file('store.db');
      storeOf(version, file);
      const store = await open(file);
      try {
        await assertCarriedOver(store);
      } finally {
        await store.close();
      }
      const copy = new DatabaseSync(`${file}.schema-${version}`, { readOnly: true });
      assert.equal(
        copy.prepare('PRAGMA user_version').get()?.['user_version'],
        version,
        'the copy has the old version',
      );
      copy.close();
      assert.equal((await stat(`${file}.schema-${version}`)).mode & 0o777, 0o600);
    });
  }

  test('57 of an older schema leaves one copy, however many upgrades came before', async () => {
    await using workdir = await Workdir.make();
    const file = workdir.file('store.db');
    storeOf(1, file);
    await writeFile(`${file}.schema-0`, 'of an earlier upgrade');
    await (await open(file)).close();
    assert.deepEqual(
      readdirSync(workdir.path).filter((name) => name.includes('schema')),
      ['store.db.schema-1'],
    );
  });

  test(
    '57 of an older schema, without room for the copy, is refused with the size needed; no partial copy is left',
    needsMount,
    async () => {
      await using volume = await Tmpfs.mount('8m');
      const file = volume.file('store.db');
      storeOf(1, file);
      const db = new DatabaseSync(file);
      db.exec('INSERT INTO bodies (uses, bytes) VALUES (1, randomblob(5000000))');
      db.close();
      await assert.rejects(open(file), /a copy of up to 6 MB is kept next to it, .* has no room for that; make room/);
      assert.deepEqual(readdirSync(volume.path), ['store.db']);
      await volume.remount('size=32m');
      const store = await open(file);
      try {
        await assertCarriedOver(store);
      } finally {
        await store.close();
      }
    },
  );

  test(
    '57 of an older schema, with room for the copy and no more, is refused; no copy is left',
    needsMount,
    async () => {
      await using volume = await Tmpfs.mount('16m');
      const file = volume.file('store.db');
      storeOf(1, file);
      const db = new DatabaseSync(file);
      db.exec(`WITH RECURSIVE n(id) AS (SELECT 1001 UNION ALL SELECT id + 1 FROM n WHERE id < 4000)
               INSERT INTO bodies (id, uses, bytes) SELECT id, 1, randomblob(2000) FROM n;
               INSERT INTO baseline SELECT (SELECT id FROM scopes), 'web-' || id, 'uid', '1', 1, id, NULL FROM bodies WHERE id > 1000`);
      db.close();
      await assert.rejects(
        open(file),
        /up to 14 MB are needed next to it, .* has no room for that; make room, or keep using/,
      );
      assert.deepEqual(readdirSync(volume.path), ['store.db']);
      await volume.remount('size=32m');
      const store = await open(file);
      try {
        assert.equal((await store.history({ limit: 10 })).length, 6);
      } finally {
        await store.close();
      }
    },
  );

  test('57 of an older schema, with a file size limit too low for its log, is refused; no copy is left', async () => {
    await using service = await Service.make(0);
    mkdirSync(service.state, { mode: 0o700 });
    const file = path.join(service.state, 'store.db');
    storeOf(1, file);
    const db = new DatabaseSync(file);
    // The copy takes half of the space, and the rewritten data nearly all.
    db.exec(`WITH RECURSIVE n(id) AS (SELECT 1001 UNION ALL SELECT id + 1 FROM n WHERE id < 4000)
             INSERT INTO bodies (id, uses, bytes) SELECT id, 1, randomblob(2000) FROM n;
             DELETE FROM bodies WHERE id > 1000 AND id % 2 > 0;
             INSERT INTO baseline SELECT (SELECT id FROM scopes), 'web-' || id, 'uid', '1', 1, id, NULL FROM bodies WHERE id > 1000`);
    db.close();
    const size = statSync(file).size;
    await using program = service.start({ under: ['prlimit', `--fsize=${Math.ceil(size * 0.7)}`] });
    const { code, stderr } = await program.exited();
    assert.equal(code, 1);
    assert.match(stderr, /Cannot open the store .*: disk I\/O error; the state folder must be on a writable volume/);
    assert.deepEqual(
      readdirSync(service.state).filter((name) => name.includes('schema')),
      [],
    );
  });

  test('57 of a newer schema is refused with the remedy, and left unchanged', async () => {
    await using workdir = await Workdir.make();
    const file = workdir.file('store.db');
    const store = await open(file);
    await store.close();
    const db = new DatabaseSync(file);
    db.exec('PRAGMA user_version = 999');
    db.close();
    const before = await readFile(file);
    await assert.rejects(
      open(file),
      /its schema is version 999, this watchchain knows up to \d+; run the newer watchchain/,
    );
    assert.ok(before.equals(await readFile(file)));
  });
});
