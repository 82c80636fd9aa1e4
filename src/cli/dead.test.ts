import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../test/run-command.ts';
import { accept, claimOne, openScope, seen, utf8 } from '../store/conformance/fixture.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { temporaryFolder } from '../testing/test-folder.ts';

test('dead show escapes control and bidi characters, and its JSON still means the same', async (t) => {
  const folder = await temporaryFolder(t);
  await chmod(folder, 0o700);
  const evil = 'a\u009b31m\u202eb\u2028c';
  const store = await openSqliteStore({ path: join(folder, 'store.db') });
  const body = utf8(JSON.stringify({ metadata: { name: 'web', namespace: 'shop', annotations: { evil } } }));
  await accept(store, await openScope(store), seen('web', 1, { body }));
  const { id } = await claimOne(store, { now: Date.now() });
  await store.deadLetter(id, { handler: 'default/slack', error: evil, attempts: 1 });
  await store.close();

  const { code, stdout: shown } = await runCommand(['dead', 'show', String(id), '--state', folder]);
  assert.equal(code, 0);
  assert.doesNotMatch(shown, /[\u0080-\u009f\u2028-\u202e]/);
  type Shown = { error: string; change: { after: { metadata: { annotations: object } } } };
  const { error, change } = JSON.parse(shown) as Shown;
  assert.deepEqual([error, change.after.metadata.annotations], [evil, { evil }]);
});
