import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { PATIENCE_MS } from '../testing/waiters.ts';
import { accept, claimOne, openScope, seen, utf8 } from '../store/conformance/fixture.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { runCommandLine } from './command-line.ts';

test('dead show has nothing in it that colours or turns a terminal, and says the same', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'watchchain-dead-'));
  t.after(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o700);
  const evil = 'a\u009b31m\u202eb\u2028c';
  const store = await openSqliteStore({ path: join(folder, 'store.db') });
  const body = utf8(JSON.stringify({ metadata: { name: 'web', namespace: 'shop', annotations: { evil } } }));
  await accept(store, await openScope(store), seen('web', 1, { body }));
  const { id } = await claimOne(store, { now: Date.now() });
  await store.deadLetter(id, { handler: 'default/slack', error: evil, attempts: 1 });
  await store.close();

  const stdout = new PassThrough();
  const argv = ['dead', 'show', String(id), '--state', folder];
  const io = { argv, env: {}, stdin: Readable.from([]), stdout, stderr: new PassThrough() };
  assert.equal(await runCommandLine({ ...io, signal: AbortSignal.timeout(PATIENCE_MS) }), 0);
  const shown = await text(stdout.end());
  assert.doesNotMatch(shown, /[\u0080-\u009f\u2028-\u202e]/);
  type Shown = { error: string; change: { after: { metadata: { annotations: object } } } };
  const { error, change } = JSON.parse(shown) as Shown;
  assert.deepEqual([error, change.after.metadata.annotations], [evil, { evil }]);
});
