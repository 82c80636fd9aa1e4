/** Row 72: the process dies whenever it handles a certain change. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { deployment } from '../e2e/cluster.ts';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import { Program } from '../e2e/program.ts';
import { withStore } from './balance.ts';
import { onlyLong } from './needs.ts';
import { reportEach, Service } from './service.ts';
import { assertComplete, replicaChangesIn, trackingReceiver } from './stories.ts';
import { until } from '../until.ts';

const OBJECTS = 20;
/** Comes after as many changes as run at once. */
const POISON = 'web-12';

/** A user's own handler that kills the process: `tries` gets a line each time, and a file `mended` stops it. */
const DEADLY = `import { appendFileSync, existsSync } from 'node:fs';
export default ({ name }) => {
  if (name !== '${POISON}' || existsSync('mended')) return;
  appendFileSync('tries', 'died\\n');
  process.kill(process.pid, 'SIGKILL');
};
`;

async function useDeadlyHandler({ workdir, slack }: Service): Promise<void> {
  await workdir.write('deadly.js', DEADLY);
  const config = kwatchmanConfig(slack.url, ['deployment']).replace('name = "log"', 'name = "./deadly.js"');
  await workdir.write('config.toml', reportEach(config));
}

/** Replays the only dead letter with the command `dead`, like a user. */
async function replayByCommand({ workdir, state }: Service): Promise<void> {
  const flags = ['-c', workdir.file('config.toml'), '--state', state];
  await using list = new Program(['dead', 'list', ...flags], { cwd: workdir.path });
  assert.match((await list.exited()).stdout, /updated deployment default\/web-12 .*set aside: it was being worked on/);
  await using replay = new Program(['dead', 'replay', '--all', ...flags], { cwd: workdir.path });
  const { code, stdout } = await replay.exited();
  assert.equal(code, 0);
  assert.match(stdout, /^Replayed 1 of 1\./);
}

/** The process dies of the change in a batch, but not on its own. */
const DIGEST = 'digest = { window = "3s", over = 0 }\n';
const BATCH = 5;

const namesIn = (body: string): readonly string[] => [...new Set(body.match(/\bweb-\d+\b/g))].toSorted();

test(
  '72 a batch that kills the process three times is set aside; the chain goes on, and a replay sends each alone',
  onlyLong('five starts'),
  async () => {
    let running: Program | undefined;
    await using service = await Service.make(BATCH, ({ body }) => {
      if (namesIn(body).length > 1) running?.signal('SIGKILL');
      return {};
    });
    await service.startOnce();
    await service.workdir.write(
      'config.toml',
      reportEach(`${kwatchmanConfig(service.slack.url, ['deployment'])}${DIGEST}`),
    );
    service.scale(1);
    for (let crash = 1; crash <= 3; crash++) {
      await using program = service.start();
      running = program;
      assert.equal((await program.exited()).signal, 'SIGKILL', `crash ${crash}`);
    }
    const everybody = Array.from({ length: BATCH }, (_, n) => `web-${n}`);
    const batches = [...service.slack.requests];
    assert.deepEqual(
      batches.map(({ body }) => namesIn(body)),
      [everybody, everybody, everybody],
    );
    assert.equal(new Set(batches.map(({ headers }) => headers['idempotency-key'])).size, 1);

    await using program = service.start();
    running = program;
    await program.ready();
    const dead = () => withStore(service.state, (store) => store.deadLetters({ limit: 10 }));
    await until('the batch to be set aside', async () => (await dead()).length === BATCH);
    for (const { handler, error } of await dead())
      assert.deepEqual(
        [handler, error],
        ['default/slack', 'set aside: it was being delivered together with 4 others during 3 crashes in a row'],
      );
    service.server.create(deployment('web-100'));
    const toldAlone = (name: string) => service.slack.requests.some(({ body }) => namesIn(body).join() === name);
    await until('the chain to go on', () => toldAlone('web-100'));
    await using replay = new Program(['dead', 'replay', '--all', '--state', service.state, '-c', 'config.toml'], {
      cwd: service.workdir.path,
    });
    assert.match((await replay.exited()).stdout, /^Replayed 5 of 5\./);
    await until('each to be told by itself', () => everybody.every(toldAlone));
    assert.equal((await program.stop()).code, 0);
    assert.equal(service.slack.requests.length, batches.length + BATCH + 1, 'each once');
    await service.assertBalanced({ dead: BATCH });
  },
);

test('72 a change that kills the process three times is set aside before a fourth; others go on; it can be replayed', async () => {
  const end = { objects: OBJECTS, last: 1 };
  const everybody = trackingReceiver(end);
  await using service = await Service.make(OBJECTS, everybody.respond);
  await service.startOnce();
  await useDeadlyHandler(service);
  service.scale(1);
  for (let crash = 1; crash <= 3; crash++) {
    await using program = service.start();
    assert.equal((await program.exited()).signal, 'SIGKILL', `crash ${crash}`);
  }
  await using program = service.start();
  await program.ready();
  const dead = () => withStore(service.state, (store) => store.deadLetters({ limit: 10 }));
  await until('the change to be set aside', async () => (await dead()).length === 1);
  await until(
    'the others to be told',
    () => new Set(service.slack.requests.flatMap(replicaChangesIn).map(({ object }) => object)).size === OBJECTS - 1,
  );
  assert.equal(await readFile(service.workdir.file('tries'), 'utf8'), 'died\n'.repeat(3));
  assert.equal((await dead())[0]?.change.name, POISON);
  await service.workdir.write('mended', '');
  await replayByCommand(service);
  await everybody.done();
  assert.equal((await program.stop()).code, 0);
  assertComplete(service.slack.requests, end);
  await service.assertBalanced({ dead: 1 });
});
