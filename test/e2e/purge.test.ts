/** `purge`: permanently forgets what is recorded, but not what is still to be delivered; with and without a running service. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { PATIENCE_MS } from '../../src/testing/waiters.ts';
import { accept, claim, COMPLETED, openScope, seen, utf8 } from '../../src/store/conformance/fixture.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { startApiServer } from '../../src/testing/api-server.ts';
import { startReceiver, type CapturedReceiver } from '../../src/testing/receiver.ts';
import { assertFolderBalanced, withStore } from '../faults/balance.ts';
import { Tmpfs } from '../faults/mounts.ts';
import { needsMount } from '../faults/needs.ts';
import { deployment, TestCluster } from './cluster.ts';
import { startProgram } from './main-job.ts';
import { Program, Workdir } from './program.ts';
import { runCommand } from '../run-command.ts';

function config(url: string): string {
  return `[[resource]]
kind = "deployment"
[[handler]]
name = "slack"
webhookURL = "${url}"
messagesPerSecond = 0
`;
}

/** A Deployment with the canary in an annotation. */
function saying(name: string, canary: string): object {
  const { metadata, ...rest } = deployment(name) as { metadata: object };
  return { ...rest, metadata: { ...metadata, annotations: { note: canary } } };
}

/** Runs it as a process, like an operator. */
async function purge(workdir: Workdir, ...args: string[]) {
  await using program = new Program(['purge', ...args, '--state', workdir.file('state')], { cwd: workdir.path });
  const { code, stdout, stderr } = await program.exited();
  assert.doesNotMatch(stderr, /^\s+at /m, 'no stack trace');
  return { code, stdout, stderr };
}

/** Runs it in this process. @param answer what is typed on a terminal; undefined: no terminal */
function run(workdir: Workdir, args: readonly string[], answer?: string, signal = AbortSignal.timeout(PATIENCE_MS)) {
  const isTTY = answer !== undefined;
  const stdin = Object.assign(Readable.from(isTTY ? [`${answer}\n`] : []), { isTTY });
  return runCommand([...args, '--state', workdir.file('state')], { env: { HOME: workdir.path }, stdin, isTTY, signal });
}

/** Which of these words occur anywhere in the state. */
async function inState(workdir: Workdir, words: readonly string[]): Promise<readonly string[]> {
  const folder = workdir.file('state');
  const files = await Promise.all((await readdir(folder)).map((name) => readFile(path.join(folder, name))));
  return words.filter((word) => files.some((bytes) => bytes.includes(word)));
}

/** The number of recorded changes and of dead letters. */
async function kept(workdir: Workdir): Promise<readonly [changes: number, letters: number]> {
  return withStore(workdir.file('state'), async (store) => {
    const found = await Promise.all([store.history({ limit: 100 }), store.deadLetters({ limit: 100 })]);
    return [found[0].length, found[1].length];
  });
}

/**
 * Two delivered changes, two dead letters, one that waits; each with a canary. The first two objects are deleted, so that only
 * the record has theirs. The waiting one comes last: its 503 pauses the receiver, and later changes would be sent together.
 */
async function play(cluster: TestCluster, program: Program, slack: CapturedReceiver): Promise<void> {
  for (const name of ['told', 'doomed']) {
    await cluster.create(saying(name, `${name}-c4nary`));
    await cluster.delete('Deployment', name);
  }
  await program.until('the dead letters', ({ stderr }) => stderr.split('kept as a dead letter').length > 2);
  await slack.waitFor(4);
  await cluster.create(saying('waiting', 'waiting-c4nary'));
  await slack.waitFor(5);
}

describe('purge', () => {
  test('removes data for good, with and without a running service, and pending changes are still delivered', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    let isUp = false;
    await using slack = await startReceiver(({ body }) => {
      if (body.includes('doomed')) return { status: 404 };
      return body.includes('waiting') && !isUp ? { status: 503, headers: { 'retry-after': '1' } } : { body: 'ok' };
    });
    await workdir.write('config.toml', config(slack.url));
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    await using cluster = new TestCluster({ url: server.url, kubeconfig });
    await using program = startProgram(workdir, cluster.access);
    await program.ready();
    const canaries = ['told-c4nary', 'doomed-c4nary', 'waiting-c4nary'];
    await play(cluster, program, slack);
    assert.deepEqual(await inState(workdir, canaries), canaries);

    const asked = await purge(workdir, '--all');
    assert.deepEqual([asked.code, asked.stdout], [1, '']);
    assert.match(asked.stderr, /would forget 2 dead letters and 2 changes for good; nothing was done: .* --yes\n$/);
    assert.deepEqual(await kept(workdir), [5, 2]);

    const dead = await purge(workdir, '--dead', '--name', 'doomed', '--yes');
    assert.equal(
      dead.stdout,
      'Forgot 2 dead letters. The service is running: the store keeps its size, and reuses the freed space.\n',
    );
    assert.deepEqual(await inState(workdir, canaries), ['told-c4nary', 'waiting-c4nary']);
    assert.deepEqual(await kept(workdir), [3, 0]);
    await assertFolderBalanced(workdir.file('state'), { pending: 1 });

    assert.equal((await program.stop()).code, 0);
    const history = await purge(workdir, '--all', '--yes');
    assert.equal(history.stdout, 'Forgot 2 changes. The store is as small as it can be.\n');
    assert.deepEqual(await inState(workdir, canaries), ['waiting-c4nary']);

    isUp = true;
    const told = slack.requests.length;
    await using again = startProgram(workdir, cluster.access);
    // It was deferred each time it was refused, for longer and longer.
    await slack.waitFor(told + 1, 90_000);
    assert.match(slack.requests.at(-1)?.body ?? '', /default\/waiting/);
    assert.equal((await again.stop()).code, 0);
    await assertFolderBalanced(workdir.file('state'));
  });

  test('selects dead letters and changes by age, kind and name, and asks on a terminal', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await using slack = await startReceiver(({ body }) => ({
      status: body.includes('doomed') ? 404 : 200,
      body: 'ok',
    }));
    await workdir.write('config.toml', config(slack.url));
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    await using cluster = new TestCluster({ url: server.url, kubeconfig });
    await using program = startProgram(workdir, cluster.access);
    await program.ready();
    await play(cluster, program, slack);
    assert.equal((await program.stop()).code, 0);

    for (const [args, message] of [
      [[], /Nothing to purge: give --older-than, --kind, --namespace, --name, or --all/],
      [['--dead'], /Nothing to purge: give/],
      [['--all', '--name', 'x'], /Cannot purge by filter and with --all at the same time/],
      [['--older-than', '3', '--yes'], /--older-than: cannot read "3"/],
      [['--kind', 'deploymnet'], /Nothing of kind "deploymnet" is recorded; did you mean "deployment"/],
    ] as const) {
      const refused = await run(workdir, ['purge', ...args]);
      assert.deepEqual([refused.code, refused.stdout], [1, ''], args.join(' '));
      assert.match(refused.stderr, message);
    }
    for (const args of [
      ['--older-than', '1h'],
      ['-n', 'kube-*'],
      ['--history', '--name', 'doomed'],
    ])
      assert.match((await run(workdir, ['purge', ...args, '-y'])).stdout, /^Nothing to forget: /, args.join(' '));

    const no = await run(workdir, ['purge', '--older-than', '0s'], 'n');
    assert.equal(no.code, 1);
    assert.match(no.stdout, /Forget 2 dead letters and 3 changes for good\? \[y\/N\] /);
    assert.deepEqual(await kept(workdir), [5, 2]);
    const yes = await run(workdir, ['purge', '--history', '--kind', 'deploy', '--name', 'to*', '-n', 'default'], 'y');
    assert.match(yes.stdout, /Forgot 2 changes\. /);
    assert.deepEqual(await kept(workdir), [3, 2]);
    assert.match(
      (await run(workdir, ['purge', '--older-than', '0s', '--yes'])).stdout,
      /^Forgot 2 dead letters and 1 change\. /,
    );
    assert.deepEqual(await kept(workdir), [0, 0]);
    assert.equal((await run(workdir, ['explain', '--change', '1'])).code, 1);
  });

  test('stops on a signal, as replay and discard do, and keeps the rest', async () => {
    await using workdir = await Workdir.make();
    await mkdir(workdir.file('state'), { mode: 0o700 });
    const store = await openSqliteStore({ path: workdir.file('state/store.db') });
    await accept(store, await openScope(store), seen('told', 1), seen('doomed', 1));
    const [told, doomed] = (await claim(store, { now: Date.now() })).deliveries;
    assert.ok(told !== undefined && doomed !== undefined);
    await store.complete(told.id, COMPLETED);
    await store.deadLetter(doomed.id, { handler: 'default/slack', error: 'HTTP 404', attempts: 1 });
    await store.close();
    const stopped = async (...args: string[]) => (await run(workdir, args, undefined, AbortSignal.abort())).stdout;
    assert.match(await stopped('purge', '--all', '--yes'), /^Forgot nothing, then stopped as requested\. /);
    assert.equal(await stopped('dead', 'discard', '--all'), 'Discarded 0 of 1.\n');
    assert.match(await stopped('dead', 'replay', '--all', '--force'), /^Replayed 0 of 1\. /);
    assert.deepEqual(await kept(workdir), [2, 1]);
  });

  test(
    'reports what it removed when there is no room to rewrite the store, and leaves no older copy',
    needsMount,
    async () => {
      await using workdir = await Workdir.make();
      await using volume = await Tmpfs.mount('12m');
      const store = await openSqliteStore({ path: volume.file('store.db') });
      const scope = await openScope(store);
      for (const [n, name] of ['told', 'a', 'b', 'c', 'd', 'e', 'f', 'g'].entries())
        await accept(
          store,
          scope,
          seen(name, n + 1, { body: utf8(`{"metadata":{},"note":"${name.repeat(600_000).slice(0, 600_000)}"}`) }),
        );
      for (const { id } of (await claim(store, { now: Date.now() })).deliveries) await store.complete(id, COMPLETED);
      await store.close();
      await writeFile(volume.file('store.db.schema-1'), 'told');
      await using program = new Program(['purge', '--name', 'told', '--yes', '--state', volume.path], {
        cwd: workdir.path,
      });
      const { code, stdout, stderr } = await program.exited();
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /^Forgot 1 change\. The volume has no room to rewrite it: the store keeps its size/);
      assert.deepEqual(
        (await readdir(volume.path)).filter((name) => name.includes('schema')),
        [],
      );
    },
  );
});
