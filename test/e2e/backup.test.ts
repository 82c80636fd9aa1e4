/** Backup and restore with the commands of docs/operations.md. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, rm, stat } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { deployment } from './cluster.ts';
import { kwatchmanConfig } from './main-job.ts';
import { World, type Running } from './world.ts';

const sh = promisify(execFile);

async function commands(): Promise<{ readonly backUp: string; readonly restore: string }> {
  const page = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [backUp = '', restore = ''] = [...page.matchAll(/^```sh\n([^`]*BACKUP[^`]*)^```/gm)].map(
    ([, block = '']) => block,
  );
  return { backUp, restore };
}

test('a restored backup goes on from its own time: later changes are reported again, and its history is kept', async () => {
  await using world = await World.start();
  const { server, slack, workdir } = world;
  server.create(deployment('web', 'nginx', 1));
  const env = { PATH: process.env['PATH'], WATCHCHAIN_STATE: workdir.file('state'), BACKUP: workdir.file('backup') };
  const { backUp, restore } = await commands();
  const options = {
    config: `[state]\npath = "state"\n${kwatchmanConfig(slack.url, ['deployment'])}`,
    keepState: true,
  };
  const replicas = async (n: number, messages: number) => {
    server.update(deployment('web', 'nginx', n));
    await slack.waitFor(messages);
  };
  {
    await using _first = await world.run(options);
    await replicas(2, 1);
  }
  await sh('sh', ['-euc', backUp], { env });
  {
    await using _second = await world.run(options);
    await replicas(3, 2);
  }
  await sh('sh', ['-euc', restore], { env });
  {
    await using third = await world.run(options);
    await slack.waitFor(3);
    assert.deepEqual(
      world.messages().map(({ text }) => /replicas \d -> \d/.exec(text)?.[0]),
      ['replicas 1 -> 2', 'replicas 2 -> 3', 'replicas 2 -> 3'],
    );
    const history = await third.app.store.history({ limit: 10 });
    assert.deepEqual(
      history.map(({ flags }) => flags.whileAway === true),
      [false, true],
    );
  }
  assert.equal((await stat(workdir.file('state'))).mode & 0o777, 0o700);
});

test('a store without its redaction key is used all the same, with one warning in the log', async () => {
  await using world = await World.start();
  const { server, workdir } = world;
  const options = {
    config:
      '[state]\npath = "state"\n[[resource]]\nkind = "secret"\n[[handler]]\nname = "diff"\n[[handler]]\nname = "log"\n',
    keepState: true,
  };
  const secret = (n: number) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'db', namespace: 'shop', labels: { n: String(n) } },
    data: { password: 'aHVudGVyMg==' },
  });
  const isTold = (running: Running) => running.serviceLog().includes('redaction.key is not the key');
  server.create(secret(1));
  {
    await using first = await world.run(options);
    assert.ok(!isTold(first));
  }
  await rm(workdir.file('state/redaction.key'));
  server.update(secret(2));
  {
    await using second = await world.run(options);
    assert.ok(isTold(second));
  }
  await using third = await world.run(options);
  assert.ok(!isTold(third));
});
