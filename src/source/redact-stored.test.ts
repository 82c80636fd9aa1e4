/** What new redaction rules leave in the files of the store. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { Workdir } from '../../test/e2e/program.ts';
import { createLogger } from '../log.ts';
import { accept, CLUSTER, openScope, seen } from '../store/conformance/fixture.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Store } from '../store/store.ts';
import type { Discovery } from './discovery.ts';
import { createRedactor } from './redact.ts';
import { redactStored } from './redact-stored.ts';

const RULES = createRedactor(
  { envNames: [], paths: [{ kind: 'Deployment', path: 'spec.licence' }] },
  Buffer.alloc(32, 7),
);

const discovery = {
  resolve: () => Promise.resolve({ kind: 'not-served', near: [], mayBeServedLater: false }),
} as unknown as Discovery;

function redact(store: Store): Promise<void> {
  const log = createLogger({ level: 'error', format: 'json', color: false, stream: new PassThrough() });
  return redactStored({ store, redactor: RULES, discovery, log });
}

async function timesIn(folder: string, secret: string): Promise<number> {
  const files = await Promise.all((await readdir(folder)).map((file) => readFile(`${folder}/${file}`, 'latin1')));
  return files.reduce((sum, text) => sum + text.split(secret).length - 1, 0);
}

test('redactStored() is completed at the next start if the process dies while the store is compacted', async () => {
  await using workdir = await Workdir.make();
  const path = workdir.file('store.db');
  const open = () => openSqliteStore({ path, cluster: CLUSTER });
  const store = await open();
  const scope = await openScope(store);
  for (let n = 1; n < 50; n++) {
    const body = JSON.stringify({ metadata: { name: 'web' }, spec: { licence: `S3CR3T-${n}${'x'.repeat(3_000)}` } });
    await accept(store, scope, seen('web', n, { body: Buffer.from(body) }));
  }
  const dying = new Proxy(store, {
    get: (it, key) => {
      if (key === 'compact') return () => Promise.reject(new Error('killed'));
      const member: unknown = Reflect.get(it, key);
      return typeof member === 'function' ? (member.bind(it) as unknown) : member;
    },
  });
  await assert.rejects(redact(dying), /killed/);
  await store.close();
  assert.notEqual(await timesIn(workdir.path, 'S3CR3T'), 0);

  const next = await open();
  await redact(next);
  await next.close();
  assert.equal(await timesIn(workdir.path, 'S3CR3T'), 0);
});

test('redactStored() hides what an older version left in an object that carries a Secret, in the form of a fresh one', async () => {
  await using workdir = await Workdir.make();
  const store = await openSqliteStore({ path: workdir.file('store.db'), cluster: CLUSTER });
  const kind = { group: 'example.com', kind: 'Bundle', resource: 'bundles' };
  const scope = await openScope(store, kind);
  const stringData = { url: 'postgres://app:redacted:hmac-0123456789ab@db/shop', token: 'S3CR3T' };
  const body = Buffer.from(
    JSON.stringify({ metadata: { name: 'web' }, spec: { manifests: [{ kind: 'Secret', stringData }] } }),
  );
  await accept(store, scope, seen('web', 1, { body, digest: 7 }));
  await store.setFact('redaction', `${RULES.keyFingerprint}.older`);

  await redact(store);
  const baseline = await store.baseline(kind.group, kind.resource, 'shop/web');
  assert.ok(baseline !== undefined);
  const fresh = RULES.forKind({ ...kind, singular: 'bundle', shortNames: [] })(body);
  assert.equal(Buffer.from(baseline).toString(), fresh.toString());
  assert.equal(await accept(store, scope, seen('web', 2, { body: fresh, digest: 7 })), 0, 'it has not changed');
  await store.close();
  assert.equal(await timesIn(workdir.path, 'S3CR3T'), 0);
});
