/** kwatchman's acceptance list: the order of handlers, and what follows when one fails. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { PATIENCE_MS } from '../../src/testing/waiters.ts';
import type { Change } from '../../src/change.ts';
import { startApiServer } from '../../src/testing/api-server.ts';
import { startReceiver } from '../../src/testing/receiver.ts';
import { deployment } from '../e2e/cluster.ts';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { World } from '../e2e/world.ts';
import { chainOf, image, QUICK, slackHandler } from './chain.ts';

describe('kwatchman: chain and retries', () => {
  test('17 (F) an UPDATE whose post fails once is delivered exactly once, with its diff', async () => {
    await using world = await World.start((_request, n) => (n === 1 ? { status: 500 } : { body: 'ok' }));
    world.server.create(image('nginx:1.7.9'));
    await using running = await world.run({ config: QUICK + chainOf('name = "diff"', slackHandler(world.slack.url)) });
    world.server.update(image('nginx:1.9.1'));
    await world.slack.waitFor(2);
    await running.app.idle();
    const [first, second, ...more] = world.slack.requests;
    assert.equal(more.length, 0);
    assert.match(second?.body ?? '', /nginx:1\.7\.9 -> nginx:1\.9\.1/);
    assert.equal(first?.headers['idempotency-key'], second?.headers['idempotency-key']);
    assert.ok(first?.headers['idempotency-key']);
  });

  test('18 (F) a final failure is logged with the key, counted, and kept as a dead letter', async () => {
    await using world = await World.start(() => ({ status: 500 }));
    await using running = await world.run({ config: QUICK + chainOf('name = "diff"', slackHandler(world.slack.url)) });
    world.server.create(deployment('web'));
    await world.slack.waitFor(4);
    await running.app.idle();
    assert.equal(world.slack.requests.length, 4, 'one attempt and three retries');
    const [letter] = await running.app.store.deadLetters({ limit: 10 });
    assert.deepEqual([letter?.handler, letter?.attempts, letter?.change.key], ['default/slack', 4, 'default/web']);
    assert.match(running.serviceLog(), /"level":"error".*default\/web|default\/web.*"level":"error"/);
    const [balance] = await running.app.store.balances();
    assert.deepEqual([balance?.accepted, balance?.dead, balance?.pending], [1, 1, 0]);
  });

  test('18 (F) 429 with Retry-After waits as asked and costs no attempt', async () => {
    await using world = await World.start((_request, n) =>
      n <= 2 ? { status: 429, headers: { 'retry-after': '0' } } : { body: 'ok' },
    );
    await using running = await world.run({ config: QUICK + chainOf('name = "diff"', slackHandler(world.slack.url)) });
    world.server.create(deployment('web'));
    await world.slack.waitFor(3);
    await running.app.idle();
    assert.equal((await running.app.store.deadLetters({ limit: 1 })).length, 0);
    assert.equal(world.slack.requests.length, 3);
  });

  test('19 (F) in [log, A, B] where B fails once, A and log run once', async () => {
    await using world = await World.start();
    await using flaky = await startReceiver((_request, n) => (n === 1 ? { status: 500 } : { body: 'ok' }));
    const config = QUICK + chainOf('name = "log"', slackHandler(world.slack.url, 'A'), slackHandler(flaky.url, 'B'));
    await using running = await world.run({ config });
    world.server.create(deployment('web'));
    await flaky.waitFor(2);
    await running.app.idle();
    assert.deepEqual([running.entries().length, world.slack.requests.length, flaky.requests.length], [1, 1, 2]);
  });

  test('20 (P) a halt is no error; a handler error names handler and key', async () => {
    await using world = await World.start();
    await world.workdir.write(
      'moody.ts',
      `export default (change) => { if (change.name === 'bad') throw new Error('no mood'); };\n`,
    );
    const config =
      QUICK +
      chainOf('name = "ignoreEvents"\nevents = ["Update"]', 'name = "./moody.ts"', slackHandler(world.slack.url));
    world.server.create(image('nginx:1.7.9'));
    await using running = await world.run({ config });
    world.server.update(image('nginx:1.9.1'));
    world.server.create(deployment('good'));
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.doesNotMatch(running.serviceLog(), /"level":"(error|warn)"/);
    world.server.create(deployment('bad'));
    await waitForDeadLetter(running.app);
    await running.app.idle();
    const failed =
      running
        .serviceLog()
        .split('\n')
        .filter((line) => line.includes('"level":"error"'))
        .at(-1) ?? '';
    assert.match(failed, /moody/);
    assert.match(failed, /default\/bad/);
    assert.match(failed, /no mood/);
    assert.deepEqual(world.titles(), ['ADD deployment\ndefault/good']);
  });

  test('21 (P) handlers run in config order, each sees what the one before left', async () => {
    await using world = await World.start();
    const note = (letter: string) =>
      `export default (change) => ({ ...change, notes: { ...change.notes, trail: (change.notes.trail ?? '') + '${letter}' } });\n`;
    for (const letter of ['a', 'b', 'c']) await world.workdir.write(`${letter}.ts`, note(letter));
    await world.workdir.write(
      'tell.ts',
      `import { appendFileSync } from 'node:fs';\nexport default (change) => { appendFileSync(${JSON.stringify(world.workdir.file('trail'))}, change.notes.trail + '\\n'); };\n`,
    );
    const own = (file: string) => `name = "./${file}.ts"`;
    await using running = await world.run({
      config: chainOf(own('c'), own('a'), own('b'), own('tell'), slackHandler(world.slack.url)),
    });
    world.server.create(deployment('web'));
    await world.slack.waitFor(1);
    assert.equal(running.app.health().ready, true);
    assert.equal(await readFile(world.workdir.file('trail'), 'utf8'), 'cab\n');
  });

  test('22 (P) changes of one object arrive in order, also across a retry', async () => {
    await using world = await World.start((_request, n) => (n === 1 ? { status: 500 } : { body: 'ok' }));
    await using running = await world.run({ config: QUICK + chainOf('name = "diff"', slackHandler(world.slack.url)) });
    world.server.create(image('nginx:1'));
    world.server.update(image('nginx:2'));
    world.server.update(image('nginx:3'));
    await world.slack.waitFor(4);
    await running.app.idle();
    const [refused, ...told] = world.messages();
    assert.equal(refused?.title, 'ADD deployment\ndefault/web');
    assert.deepEqual(
      told.map(({ title, text }) => `${title.split(' ')[0]} ${/nginx:\d -> nginx:\d/.exec(text)?.[0] ?? ''}`.trim()),
      ['ADD', 'UPDATE nginx:1 -> nginx:2', 'UPDATE nginx:2 -> nginx:3'],
    );
  });

  test('23 (F) add and delete, update and delete within a tick: no error, the delete is reported', async () => {
    await using world = await World.start();
    world.server.create(image('nginx:1'));
    await using running = await world.run({ config: chainOf('name = "diff"', slackHandler(world.slack.url)) });
    world.server.create(deployment('brief'));
    world.server.delete('Deployment', 'brief', 'default');
    world.server.update(image('nginx:2'));
    world.server.delete('Deployment', 'web', 'default');
    await world.slack.waitFor(4);
    await running.app.idle();
    assert.deepEqual(world.titles().toSorted(), [
      'ADD deployment\ndefault/brief',
      'DELETE deployment\ndefault/brief',
      'DELETE deployment\ndefault/web',
      'UPDATE deployment\ndefault/web',
    ]);
    assert.doesNotMatch(running.serviceLog(), /"level":"(error|warn)"/);
  });

  test('34 (P) SIGTERM and SIGINT exit 0; (F) a delivery in flight is finished first', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      await using slack = await startReceiver(() => ({ body: 'ok', delayMs: 300 }));
      await using server = await startApiServer();
      await using workdir = await Workdir.make();
      const kubeconfig = await server.writeKubeconfig(workdir.file('kube'));
      await workdir.write('config.toml', kwatchmanConfig(slack.url));
      await using program = new Program(
        ['-c', 'config.toml', '-k', kubeconfig, '--state', 'state', '--listen', '127.0.0.1:0'],
        { cwd: workdir.path },
      );
      await program.ready();
      server.create(deployment('web'));
      await slack.waitFor(1);
      const exit = await program.stop(signal);
      assert.equal(exit.code, 0);
      await using again = new Program(['dead', 'list', '--state', workdir.file('state')], { cwd: workdir.path });
      assert.match((await again.exited()).stdout, /No dead letters/);
      assert.equal(slack.requests.length, 1);
    }
  });
});

/** Waits until the store holds a dead letter. */
async function waitForDeadLetter(app: {
  readonly store: { deadLetters(query: { limit: number }): Promise<readonly { change: Change }[]> };
}): Promise<void> {
  const deadline = AbortSignal.timeout(PATIENCE_MS);
  while ((await app.store.deadLetters({ limit: 1 })).length === 0) deadline.throwIfAborted();
}
