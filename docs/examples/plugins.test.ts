import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, test, type TestContext } from 'node:test';
import { loadHandler } from '../../src/chain/load.ts';
import { isHalt, type Halt, type HandlerDefinition } from '../../src/chain/handler.ts';
import type { Change } from '../../src/change.ts';
import { systemClock } from '../../src/clock.ts';
import { createReceivers } from '../../src/delivery/receivers.ts';
import { createMetrics } from '../../src/metrics.ts';
import { changeOf } from '../../src/testing/change.ts';
import { rehearse } from '../../src/testing/rehearse.ts';
import { testContext, testEnvironment } from '../../src/testing/handler.ts';

const folder = import.meta.dirname;

function labelled(labels: object): Change {
  const metadata = { name: 'web', namespace: 'shop', labels };
  return changeOf({ after: { apiVersion: 'v1', kind: 'ConfigMap', metadata } });
}

/** A handler by name and options, called with one change after the other. */
async function handlerOf(t: TestContext, name: string, options: object) {
  const definition: HandlerDefinition = await loadHandler(name, folder);
  const { log } = testEnvironment();
  const receivers = createReceivers({ clock: systemClock, metrics: createMetrics(), log, env: {} });
  t.after(() => receivers.close());
  assert.ok(definition.type !== 'stateful');
  const environment = testEnvironment({ receivers });
  const given = definition.options.parse(options);
  const context = testContext({ id: `default/${name}` });
  const instance = definition.create(given, environment);
  t.after(() => instance.stop?.());
  return async (change: Change): Promise<Change | Halt> => {
    const verdict =
      'deliver' in instance ? await instance.deliver(change, context) : await instance.handle(change, context);
    return verdict ?? change;
  };
}

async function startPolicy(t: TestContext): Promise<string> {
  const server = spawn('python3', [`${folder}/policy.py`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(server, 'exit');
  t.after(async () => {
    server.kill();
    await ended;
  });
  const [url] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
  return url;
}

const off = labelled({ alerts: 'off' });
const on = labelled({ team: 'shop' });

describe('the plug-ins of docs/plugins.md', () => {
  test('policy.py, a webhook with verdict = true', async (t) => {
    const ask = await handlerOf(t, 'webhook', { url: await startPolicy(t), verdict: true });
    assert.deepEqual(await ask(off), { halted: true, reason: 'alerts are off for shop/web' });
    const passed = await ask(on);
    assert.ok(!isHalt(passed));
    assert.deepEqual(passed.notes.answers, { webhook: { team: 'shop' } });
  });

  test('flapping.ts, which keeps state: the third change within an hour is halted, a deletion is not', async () => {
    const gone = changeOf({
      before: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web', namespace: 'shop' } },
    });
    const handler = await loadHandler('./flapping.ts', folder);
    const { changes } = await rehearse(handler, { options: { atMost: 2 }, changes: [on, off, on, gone, on] });
    assert.deepEqual(
      changes.map(({ verdict, reason }) => reason ?? verdict),
      ['pass', 'pass', 'changed more than 2 times within an hour', 'pass', 'pass'],
    );
  });

  test('alerts_off.py, a program that stays', async (t) => {
    const ask = await handlerOf(t, 'exec', { command: ['./alerts_off.py'], mode: 'lines', cwd: folder });
    assert.deepEqual(await ask(off), { halted: true, reason: 'alerts are off for shop/web' });
    assert.equal(await ask(on), on);
  });

  test('quiet.sh, a program for each change', async (t) => {
    const ask = await handlerOf(t, 'exec', { command: ['./quiet.sh'], cwd: folder });
    assert.deepEqual(await ask(off), { halted: true, reason: 'alerts are off' });
    assert.equal(await ask(on), on);
  });
});
