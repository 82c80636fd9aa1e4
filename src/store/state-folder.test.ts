import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { temporaryFolder } from '../testing/test-folder.ts';
import { openStateFolder, stateFolderPath, stateFoldersNamed, storeFileIn, type StateFolder } from './state-folder.ts';

const IDENTITY = { name: 'config', clusterId: 'c1', env: {} };

async function open(t: TestContext, path: string): Promise<StateFolder> {
  const folder = await openStateFolder({ ...IDENTITY, path });
  t.after(() => folder.close());
  return folder;
}

async function modeOf(path: string): Promise<number> {
  return (await lstat(path)).mode & 0o777;
}

describe('stateFolderPath()', () => {
  const of = (env: NodeJS.ProcessEnv, path?: string) => stateFolderPath({ ...IDENTITY, env, path });

  test('prefers the path, then WATCHCHAIN_STATE, then XDG_STATE_HOME, then the home folder', () => {
    const env = { WATCHCHAIN_STATE: '/env', XDG_STATE_HOME: '/xdg', HOME: '/home/me' };
    assert.equal(of(env, '/given'), '/given');
    assert.equal(of(env), '/env');
    assert.equal(of({ ...env, WATCHCHAIN_STATE: '' }), '/xdg/watchchain/c1/config');
    assert.equal(of({ HOME: '/home/me' }), '/home/me/.local/state/watchchain/c1/config');
  });

  test('does not let a name or cluster id escape the state home', () => {
    const path = stateFolderPath({
      path: undefined,
      env: { XDG_STATE_HOME: '/xdg' },
      clusterId: '../..',
      name: 'a/../b',
    });
    assert.equal(path, '/xdg/watchchain/%2e.%2f../a%2f..%2fb');
  });

  test('gives different names different folders', () => {
    const names = ['a b', 'a_b', 'a/b', 'a%20b', '.a', '_a', '配置', '設定'];
    const paths = names.map((name) => stateFolderPath({ ...IDENTITY, path: undefined, env: { HOME: '/home' }, name }));
    assert.equal(new Set(paths).size, names.length, paths.join(' '));
  });
});

test('stateFoldersNamed() finds the folders that stateFolderPath() gives a name, for every cluster', async (t) => {
  const env = { XDG_STATE_HOME: await temporaryFolder(t) };
  assert.deepEqual(await stateFoldersNamed('prod eu', env), []);
  const paths = ['c1', 'c2'].map((clusterId) => stateFolderPath({ path: undefined, name: 'prod eu', clusterId, env }));
  for (const path of paths) await open(t, path);
  await open(t, stateFolderPath({ path: undefined, name: 'other', clusterId: 'c1', env }));
  assert.deepEqual(await stateFoldersNamed('prod eu', env), paths);
});

describe('openStateFolder()', () => {
  test('creates folder and files accessible to their owner only', async (t) => {
    const path = join(await temporaryFolder(t), 'a', 'b');
    const folder = await open(t, path);
    assert.equal(folder.storeFile, join(path, 'store.db'));
    assert.equal(await modeOf(path), 0o700);
    assert.deepEqual((await readdir(path)).toSorted(), ['holder', 'lock.db', 'redaction.key']);
    for (const file of await readdir(path)) assert.equal(await modeOf(join(path, file)), 0o600, file);
  });

  test('refuses a name that is too long for a folder, and names the remedy', async (t) => {
    const env = { XDG_STATE_HOME: await temporaryFolder(t) };
    const named = (letters: number) =>
      openStateFolder({ ...IDENTITY, path: undefined, env, name: '配'.repeat(letters) });
    await (await named(85)).close();
    await assert.rejects(named(86), {
      code: 'CONFIG',
      message: /more than 255 bytes; set a shorter name under \[state\], or --state$/,
    });
  });

  test('restricts an existing folder of ours to its owner', async (t) => {
    const path = await temporaryFolder(t);
    await chmod(path, 0o755);
    await open(t, path);
    assert.equal(await modeOf(path), 0o700);
  });

  test('creates the redaction key once per folder', async (t) => {
    const path = await temporaryFolder(t);
    const first = await open(t, path);
    assert.equal(first.redactionKey.length, 32);
    await first.close();
    assert.deepEqual((await open(t, path)).redactionKey, first.redactionKey);
    assert.notDeepEqual((await open(t, await temporaryFolder(t))).redactionKey, first.redactionKey);
  });

  test('refuses a truncated redaction key, and leaves it there', async (t) => {
    const path = await temporaryFolder(t);
    await writeFile(join(path, 'redaction.key'), 'short');
    await assert.rejects(open(t, path), { code: 'CONFIG', message: /5 bytes instead of 32; remove it/ });
    assert.equal((await stat(join(path, 'redaction.key'))).size, 5);
  });

  test('reports a damaged lock file instead of a holder', async (t) => {
    const path = await temporaryFolder(t);
    await (await open(t, path)).close();
    await writeFile(join(path, 'lock.db'), 'no database '.repeat(100));
    await assert.rejects(open(t, path), { code: 'CONFIG', message: /lock\.db cannot be locked .*; remove it/ });
  });

  test('refuses a second holder and names the first', async (t) => {
    const path = await temporaryFolder(t);
    const first = await open(t, path);
    const holder = new RegExp(
      `process ${process.pid} on ${hostname()} since .* is using it; stop that process, or set another --state`,
    );
    await assert.rejects(open(t, path), { code: 'CONFIG', message: holder });
    await first.close();
    await open(t, path);
  });

  test('succeeds after the process that held the folder was killed', async (t) => {
    const path = await temporaryFolder(t);
    const module = JSON.stringify(new URL('./state-folder.ts', import.meta.url).href);
    const code = `
      const { openStateFolder } = await import(${module});
      await openStateFolder({ path: process.argv[1], name: 'config', clusterId: 'c1', env: {} });
      process.stdout.write('held');
      process.stdin.resume();
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code, path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await assert.rejects(open(t, path), { code: 'CONFIG', message: new RegExp(`process ${child.pid} on `) });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await open(t, path);
  });

  test('refuses a parent that is a link to a volume that is not mounted', async (t) => {
    const parent = await temporaryFolder(t);
    await symlink(join(parent, 'unmounted'), join(parent, 'link'));
    for (const path of ['link/state', 'link/deeper/state']) {
      await assert.rejects(open(t, join(parent, path)), {
        code: 'CONFIG',
        message: /state: \S+link is a link to a folder that does not exist; create or mount that$/,
      });
    }
  });

  test('refuses a symbolic link in place of the folder or of a file in it', async (t) => {
    const parent = await temporaryFolder(t);
    const target = join(parent, 'target');
    await mkdir(target);
    await symlink(target, join(parent, 'link'));
    await assert.rejects(open(t, join(parent, 'link')), { code: 'CONFIG', message: /it is a symbolic link/ });
    const elsewhere = join(parent, 'elsewhere');
    await writeFile(elsewhere, 'x'.repeat(32));
    for (const name of ['redaction.key', 'holder', `redaction.key.${process.pid}`]) {
      await symlink(elsewhere, join(target, name));
      await assert.rejects(open(t, target), { code: 'CONFIG', message: /a file in it is a symbolic link/ });
      await rm(join(target, name));
      await rm(join(target, 'holder'), { force: true });
      assert.equal(await readFile(elsewhere, 'utf8'), 'x'.repeat(32), name);
    }
    await open(t, target);
  });

  test('refuses a folder of another user or writable by all, except in a pod, where the mode is kept', async (t) => {
    const path = await temporaryFolder(t);
    await chmod(path, 0o777);
    const { uid } = await stat(path);
    t.mock.method(process as Required<Pick<NodeJS.Process, 'getuid'>>, 'getuid', () => uid + 1);
    await assert.rejects(open(t, path), { code: 'CONFIG', message: /it belongs to user|everyone may write to it/ });
    const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };
    const folder = await openStateFolder({ ...IDENTITY, path, env });
    t.after(() => folder.close());
    await writeFile(folder.storeFile, '');
    assert.equal(await storeFileIn(path, env), folder.storeFile);
    assert.equal(await modeOf(path), 0o777);
  });

  test('refuses a file, and a path through a file', async (t) => {
    const file = join(await temporaryFolder(t), 'file');
    await writeFile(file, '');
    await assert.rejects(open(t, file), { code: 'CONFIG', message: /not a folder/ });
    await assert.rejects(open(t, join(file, 'below')), { code: 'CONFIG', message: /not a folder/ });
  });
});

describe('storeFileIn()', () => {
  test('returns the store of a folder that is in use', async (t) => {
    const holder = await open(t, await temporaryFolder(t));
    await writeFile(holder.storeFile, '', { mode: 0o600 });
    assert.equal(await storeFileIn(holder.path, {}), holder.storeFile);
  });

  test('refuses a folder without a store, and leaves it as it was', async (t) => {
    const path = await temporaryFolder(t);
    await chmod(path, 0o755);
    await writeFile(join(path, 'theirs'), '');
    await assert.rejects(storeFileIn(path, {}), { code: 'CONFIG', message: /there is no store\.db in it/ });
    assert.equal(await modeOf(path), 0o755);
    assert.deepEqual(await readdir(path), ['theirs']);
  });

  test('names the folders with a store below it, as the root of the default folders has them', async (t) => {
    const root = await temporaryFolder(t);
    const paths = ['a', 'b'].map((name) => join(root, 'cluster', name));
    for (const path of paths) await writeFile((await open(t, path)).storeFile, '');
    const message = `Cannot use the state folder ${root}: there is no store.db in it: name ${paths.join(' or ')}`;
    await assert.rejects(storeFileIn(root, {}), { code: 'CONFIG', message });
  });

  test('neither creates a folder nor follows a link', async (t) => {
    const path = join(await temporaryFolder(t), 'none');
    await assert.rejects(storeFileIn(path, {}), { code: 'CONFIG', message: /does not exist: nothing has run/ });
    await assert.rejects(stat(path), { code: 'ENOENT' });
    await symlink(tmpdir(), path);
    await assert.rejects(storeFileIn(path, {}), { code: 'CONFIG', message: /it is a symbolic link/ });
  });
});
