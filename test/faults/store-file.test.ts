/** Rows 66 to 68: the state's files are damaged, foreign, or inaccessible. They are never deleted; the error says what to do. */
import assert from 'node:assert/strict';
import { appendFile, chmod, chown, open, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { Program } from '../e2e/program.ts';
import { needsRoot } from './needs.ts';
import { Service } from './service.ts';
import { trackingReceiver } from './stories.ts';

const OBJECTS = 300;
const PAGE_BYTES = 4096;
const NOBODY = 65_534;

async function scribble(file: string, fromPage: number): Promise<void> {
  await using handle = await open(file, 'r+');
  const { size } = await handle.stat();
  await handle.write(Buffer.alloc(size - fromPage * PAGE_BYTES, 'x'), 0, undefined, fromPage * PAGE_BYTES);
}

const DAMAGES: readonly (readonly [string, (file: string) => Promise<void>])[] = [
  ['is overwritten from its first byte', (file) => scribble(file, 0)],
  ['is overwritten after its first page', (file) => scribble(file, 1)],
  ['is overwritten from its middle on', (file) => scribble(file, 20)],
  ['is truncated', (file) => truncate(file, 10 * PAGE_BYTES)],
];

describe('a store file that', { concurrency: 2 }, () => {
  for (const [how, damage] of DAMAGES) {
    test(`66 ${how}: the error names the remedy, exit 1, the file is kept; moved away, a new baseline begins`, async () => {
      const end = { objects: OBJECTS, last: 2 };
      const tracker = trackingReceiver(end);
      await using service = await Service.make(OBJECTS, tracker.respond);
      const file = `${service.state}/store.db`;
      await service.startOnce();
      await damage(file);
      const damaged = await readFile(file);
      service.scale(1);
      {
        await using program = service.start();
        const exit = await program.exited();
        assert.equal(exit.code, 1);
        assert.match(exit.stderr, /store\.db: it is damaged; move it away/);
        assert.doesNotMatch(exit.stderr, /^\s+at /m);
      }
      assert.ok(damaged.equals((await readFile(file)).subarray(0, damaged.length)), 'as it was');
      await service.workdir.moveAway('state');
      await using program = service.start();
      await program.ready();
      assert.equal(service.slack.requests.length, 0, 'a new baseline is silent');
      await service.assertBalanced();
    });
  }
});

describe('a store file', () => {
  test('66 of zero length is not taken for a first start: the error names the remedy, exit 1', async () => {
    await using service = await Service.make(1);
    await service.startOnce();
    await truncate(`${service.state}/store.db`);
    {
      await using program = service.start();
      const exit = await program.exited();
      assert.equal(exit.code, 1);
      assert.match(
        exit.stderr,
        /store\.db: it is empty, but was not before; put a copy of it back, with its log \(-wal\), or remove it/,
      );
    }
    await service.workdir.moveAway('state/store.db');
    await service.startOnce();
    assert.equal(service.slack.requests.length, 0);
  });
});

describe('a state folder that', () => {
  test('68 belongs to another user is refused, with the remedy', needsRoot, async () => {
    await using service = await Service.make(1);
    await service.startOnce();
    await chown(service.state, NOBODY, NOBODY);
    await using program = service.start();
    const exit = await program.exited();
    assert.equal(exit.code, 1);
    assert.match(
      exit.stderr,
      /state: it belongs to user 65534, we run as 0; run as that user, or choose a folder that we own/,
    );
  });

  test('68 is not writable by the user we run as is refused, with the remedy', needsRoot, async () => {
    await using service = await Service.make(1);
    await service.startOnce();
    await chmod(service.workdir.path, 0o755);
    await chmod(service.workdir.file('kubeconfig'), 0o644);
    const under = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    await using program = service.start({ under });
    await using looking = new Program(['history', '--state', service.state], { cwd: service.workdir.path, under });
    for (const exit of await Promise.all([program.exited(), looking.exited()])) {
      assert.equal(exit.code, 1);
      assert.match(
        exit.stderr,
        /Cannot use the state folder .*state: we may not write there; make our user its owner, or set/,
      );
    }
  });

  test(
    '68 holds a file of another user, as after a restore by root, is refused, naming the file',
    needsRoot,
    async () => {
      await using service = await Service.make(1);
      await service.startOnce();
      await chmod(service.workdir.path, 0o755);
      await chmod(service.workdir.file('kubeconfig'), 0o644);
      await chown(service.state, NOBODY, NOBODY);
      for (const name of await readdir(service.state)) await chown(`${service.state}/${name}`, NOBODY, NOBODY);
      const under = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
      for (const name of ['store.db-wal', 'store.db']) {
        await appendFile(`${service.state}/${name}`, '');
        await chown(`${service.state}/${name}`, 0, 0);
        await chmod(`${service.state}/${name}`, 0o600);
        await using program = service.start({ under });
        const exit = await program.exited();
        assert.equal(exit.code, 1);
        assert.match(
          exit.stderr,
          new RegExp(`we may not read and write ${service.state}/${name}; give it to our user`),
        );
      }
    },
  );

  test(
    '68 has no default, as the user has no home, is refused with the remedy, or kept in memory',
    needsRoot,
    async () => {
      await using service = await Service.make(1);
      const { workdir } = service;
      const kubeconfig = await service.server.writeKubeconfig(workdir.file('kubeconfig'));
      for (const name of ['', 'config.toml', 'kubeconfig']) await chmod(workdir.file(name), 0o755);
      const under = ['setpriv', '--reuid=54321', `--regid=${NOBODY}`, '--clear-groups'];
      const run = ['run', '-c', workdir.file('config.toml'), '-k', kubeconfig, '--listen', '127.0.0.1:0'];
      const options = { cwd: workdir.path, under, env: { HOME: undefined } };
      {
        await using program = new Program(run, options);
        const exit = await program.exited();
        assert.equal(exit.code, 1);
        assert.match(exit.stderr, /HOME is not set, and our user has no home folder; name a folder with --state/);
      }
      await using program = new Program([...run, '--or-in-memory'], options);
      await program.ready();
      assert.match(program.stderr, /The state is kept in memory/);
    },
  );

  test('67 holds a truncated key is refused, and the key is kept', async () => {
    await using service = await Service.make(1);
    await service.startOnce();
    await writeFile(`${service.state}/redaction.key`, 'short');
    await using program = service.start();
    const exit = await program.exited();
    assert.equal(exit.code, 1);
    assert.match(exit.stderr, /redaction\.key: it has 5 bytes instead of 32; remove it to get a new key/);
    assert.equal(await readFile(`${service.state}/redaction.key`, 'utf8'), 'short');
  });
});
