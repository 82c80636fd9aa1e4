/** `watchchain dead`: on a service that runs, and on one that does not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApiServer } from '../../src/testing/api-server.ts';
import { startReceiver } from '../../src/testing/receiver.ts';
import { deployment } from './cluster.ts';
import { kwatchmanConfig, startProgram } from './main-job.ts';
import { Workdir } from './program.ts';
import { clusterOf, CONFIG, run } from './commands.ts';

describe('dead letters', () => {
  test('are listed, shown, replayed while it runs, and discarded while it does not', async () => {
    let broken = true;
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await using slack = await startReceiver(() => ({ status: broken ? 404 : 200, body: 'ok' }));
    await workdir.write('config.toml', kwatchmanConfig(`${slack.url}/c4nary`, ['deployment']));
    const access = await clusterOf(workdir, server);
    const state = ['--state', workdir.file('state'), '-c', workdir.file('config.toml')];
    await using program = startProgram(workdir, access);
    await program.ready();
    for (const name of ['one', 'two']) server.create(deployment(name));
    await program.until('two dead letters', ({ stderr }) => stderr.split('"level":"error"').length > 2);

    const list = await run(workdir, ['dead', 'list', ...state]);
    assert.equal(list.code, 0, list.stderr);
    const [, first = '', second = ''] = list.stdout.trim().split('\n');
    assert.match(first, /^\d+ .* added deployment default\/one .*404/);
    assert.match(second, /default\/two/);
    assert.doesNotMatch(list.stdout, /c4nary/);
    const [id = ''] = first.split(' ');
    const shown = await run(workdir, ['dead', 'show', id, ...state]);
    assert.equal((JSON.parse(shown.stdout) as { change: { key: string } }).change.key, 'default/one');

    broken = false;
    const before = slack.requests.length;
    const replay = await run(workdir, ['dead', 'replay', id, ...state]);
    assert.equal(replay.code, 0, replay.stderr);
    assert.match(replay.stdout, /^Replayed 1 of 1\./);
    await slack.waitFor(before + 1);
    assert.equal(slack.requests[before]?.headers['idempotency-key'], slack.requests[0]?.headers['idempotency-key']);
    assert.equal((await program.stop()).code, 0);
    const discard = await run(workdir, ['dead', 'discard', '--all', ...state]);
    assert.equal(discard.code, 0, discard.stderr);
    const left = await run(workdir, ['dead', 'list', ...state]);
    assert.equal(left.stdout, 'No dead letters.\n');
  });

  test('an unknown or invalid id, or nothing named: a message and exit 1', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', CONFIG);
    await using program = startProgram(workdir, await clusterOf(workdir, server));
    await program.ready();
    await program.stop();
    for (const [args, message] of [
      [['show', '7'], /No dead letter has the id 7/],
      [['replay', 'x'], /Not an id: "x"/],
      [['discard'], /Nothing to discard/],
    ] as const) {
      const exit = await run(workdir, ['dead', ...args, '--state', workdir.file('state')]);
      assert.equal(exit.code, 1);
      assert.match(exit.stderr, message);
    }
  });
});
