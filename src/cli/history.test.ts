import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { runCommand } from '../../test/run-command.ts';
import { accept, openScope, seen, utf8, withPending } from '../store/conformance/fixture.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Store } from '../store/store.ts';
import { temporaryFolder } from '../testing/test-folder.ts';
import { runCommandLine } from './command-line.ts';
import { newest } from './history.ts';

/** The folder of a state in which objects with these names were added. */
async function recorded(t: TestContext, names: readonly string[]): Promise<string> {
  const folder = await temporaryFolder(t);
  const store = await openSqliteStore({ path: join(folder, 'store.db') });
  await withPending(store, names);
  await store.close();
  return folder;
}

test('newest() returns the newest changes, oldest first, reading at most 20 at a time', async (t) => {
  const store = await openSqliteStore({ path: ':memory:' });
  t.after(() => store.close());
  const keys = Array.from({ length: 100 }, (_, n) => `web-${n}`);
  await withPending(store, keys);
  const sizes: number[] = [];
  const history: Store['history'] = async (query) => {
    const page = await store.history(query);
    sizes.push(page.length);
    return page;
  };
  const names = async (limit: number, filter = {}) => {
    const found: string[] = [];
    for await (const page of newest({ ...store, history }, filter, limit)) found.push(...page.map(({ name }) => name));
    return found;
  };
  for (const limit of [1, 20, 21, 50, 100, 1_000]) assert.deepEqual(await names(limit), keys.slice(-limit));
  assert.deepEqual(await names(3, { name: 'web-?' }), ['web-7', 'web-8', 'web-9']);
  assert.deepEqual(await names(3, { name: 'none' }), []);
  assert.ok(Math.max(...sizes) <= 20, String(sizes));
});

test('history -o diff is coloured on a terminal, unless TERM is dumb or NO_COLOR is set', async (t) => {
  const folder = await recorded(t, ['web']);
  const isColored = async (env: NodeJS.ProcessEnv) => {
    const { stdout } = await runCommand(['history', '--state', folder, '-o', 'diff'], { env, isTTY: true });
    return stdout.includes('\u001b');
  };
  assert.equal(await isColored({ TERM: 'xterm' }), true);
  for (const env of [{ TERM: 'dumb' }, { NO_COLOR: '1' }]) assert.equal(await isColored(env), false);
});

test('history says in its table what an Event reports', async (t) => {
  const folder = await recorded(t, []);
  const store = await openSqliteStore({ path: join(folder, 'store.db') });
  const involvedObject = { kind: 'Pod', namespace: 'default', name: 'web' };
  const event = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'web.1', uid: 'e1' }, involvedObject };
  const body = utf8(JSON.stringify({ ...event, type: 'Warning', reason: 'BackOff', message: 'Back-off restarting' }));
  const scope = await openScope(store, { group: '', version: 'v1', kind: 'Event', resource: 'events' });
  await accept(store, scope, seen('web.1', 1, { body }));
  await store.close();
  const { stdout } = await runCommand(['history', '--state', folder]);
  assert.match(stdout, /Warning BackOff pod default\/web: Back-off restarting\n$/);
});

test('history keeps at most one line in memory for a slow reader', async (t) => {
  const folder = await recorded(
    t,
    Array.from({ length: 100 }, (_, n) => `web-${n}`),
  );
  const read: string[] = [];
  let waiting = 0;
  let next = () => {};
  const stdout = new Writable({
    highWaterMark: 1,
    write(line: Buffer, _encoding, taken) {
      read.push(line.toString());
      waiting = Math.max(waiting, this.writableLength);
      next = taken;
    },
  });
  // It takes the next line when the writer waits for `drain`.
  stdout.on('newListener', (event) => event === 'drain' && setImmediate(() => next()));
  const argv = ['history', '--state', folder, '--limit', '0', '-o', 'json'];
  const stderr = new Writable({ write: (said: Buffer) => assert.fail(said.toString()) });
  const { signal } = new AbortController();
  assert.equal(await runCommandLine({ argv, env: {}, stdin: Readable.from([]), stdout, stderr, signal }), 0);
  assert.deepEqual([read.length, stdout.writableLength], [100, 0]);
  const longest = Math.max(...read.map((line) => line.length));
  assert.ok(waiting <= longest, `${waiting} bytes at once, of lines of ${longest}`);
});

test('history with an unset variable in the configuration suggests the state folder that the file names', async (t) => {
  const root = await temporaryFolder(t);
  const others = join(root, 'watchchain', 'uid', 'config');
  await mkdir(others, { recursive: true });
  await writeFile(join(others, 'store.db'), '');
  const config = join(root, 'config.toml');
  const hint = async (state: string) => {
    await writeFile(
      config,
      `${state}\n[[resource]]\nkind = "pod"\n[[handler]]\nname = "slack"\nwebhookURL = "\${UNSET}"\n`,
    );
    const { stderr } = await runCommand(['history', '-c', config], { env: { XDG_STATE_HOME: root } });
    return /--state (.*)$/m.exec(stderr)?.[1];
  };
  assert.equal(await hint('[state]\npath = "state"'), join(root, 'state'));
  assert.equal(
    await hint('[state]\nname = "audit"'),
    `FOLDER, below ${join(root, 'watchchain')} unless the file names one`,
  );
  assert.equal(await hint(''), others);
  assert.equal(await hint('broken'), others);
});
