import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMetrics } from '../metrics.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { logInto } from '../testing/log-into.ts';
import { startReceiver } from '../testing/receiver.ts';
import type { Receiver } from './receiver.ts';
import { failureOf, SECRET, send } from '../testing/test-receivers.ts';
import { receiversFor } from '../testing/test-sink.ts';

describe('createReceivers().states()', () => {
  test('returns the sinks, the last success and failure, and the open breaker of each far end', async (t) => {
    const answers = [200, 404, 500, 500, 500, 500, 500];
    const server = await startReceiver(() => ({ status: answers.shift() ?? 200 }));
    t.after(() => server.close());
    const [clock, metrics] = [new FakeClock(), createMetrics()];
    const receivers = receiversFor(t, { clock, metrics });
    const url = new URL(`${server.url}/${SECRET}`);
    const one = receivers.receiver({ name: 'a/slack', url });
    const other = receivers.receiver({ name: 'b/slack', url });
    const fresh = { names: ['a/slack', 'b/slack'], host: url.host, lastOkAt: undefined, restsUntil: undefined };
    assert.deepEqual(receivers.states(), [{ ...fresh, lastFailure: undefined }]);
    await send(one);
    const okAt = clock.now();
    await clock.advance(1_000);
    await failureOf(send(other));
    const [state] = receivers.states();
    assert.equal(state?.lastOkAt, okAt);
    assert.equal(state.lastFailure?.at, okAt + 1_000);
    assert.match(state.lastFailure.error, /answered 404/);
    assert.doesNotMatch(JSON.stringify(state), new RegExp(SECRET));
    for (let n = 0; n < 5; n++) await failureOf(send(one));
    assert.equal(receivers.states()[0]?.restsUntil, clock.now() + 30_000);
    const { values } = await metrics.deliveries.get();
    assert.deepEqual(
      values.map(({ labels, value }) => [labels.receiver, labels.outcome, value]),
      [
        ['a/slack', 'ok', 1],
        ['b/slack', 'gone', 1],
        ['a/slack', 'failed', 4],
      ],
    );
    await one.close();
    assert.deepEqual(receivers.states()[0]?.names, ['b/slack']);
    await other.close();
    assert.deepEqual(receivers.states(), [], 'nobody sends there any more');
  });
});

test('the breaker metric of a sink is 1 while one of its far ends fails, and moves to a renamed sink', async (t) => {
  const down = new Set(['/post', '/update']);
  const server = await startReceiver(({ path }) => ({ status: down.has(path) ? 500 : 200 }));
  t.after(() => server.close());
  const [clock, metrics] = [new FakeClock(), createMetrics()];
  const said: string[] = [];
  const log = logInto(({ message, receiver }) => said.push(`${String(receiver)}: ${message}`));
  const receivers = receiversFor(t, { clock, metrics, log });
  const open = (name: string) =>
    ['post', 'update'].map((path) => receivers.receiver({ name, url: new URL(path, server.url) }));
  const shown = async () =>
    (await metrics.breakerOpen.get()).values.map(({ labels, value }) => `${labels.receiver} ${value}`);

  const before = open('a/slack');
  for (const receiver of before) for (let n = 0; n < 5; n++) await failureOf(send(receiver));
  assert.deepEqual(await shown(), ['a/slack 1']);
  down.delete('/update');
  await clock.advance(30_000);
  await send(before[1] as Receiver);
  assert.deepEqual(await shown(), ['a/slack 1'], 'the other far end still fails');
  await Promise.all(before.map((receiver) => receiver.close()));
  assert.deepEqual(await shown(), []);

  const [post] = open('b/slack');
  assert.deepEqual(await shown(), ['b/slack 1'], 'a renamed sink takes over the far end');
  down.delete('/post');
  said.length = 0;
  await send(post as Receiver);
  assert.deepEqual([await shown(), said], [['b/slack 0'], ['b/slack: Receiver works again']]);
});

test('a far end that nobody uses keeps its rest across a reload, and is forgotten after an hour', async (t) => {
  const server = await startReceiver(() => ({ status: 500 }));
  t.after(() => server.close());
  const clock = new FakeClock();
  const receivers = receiversFor(t, { clock });
  const open = (path = '/'): Receiver => receivers.receiver({ name: 'a/slack', url: new URL(path, server.url) });
  const first = open();
  for (let n = 0; n < 5; n++) await failureOf(send(first));
  await first.close();
  await open('/other').close();
  const second = open();
  assert.notEqual(receivers.states()[0]?.restsUntil, undefined, 'the successor goes on with the breaker');
  await second.close();
  await clock.advance(3_600_001);
  await open('/other').close();
  open();
  assert.deepEqual(
    receivers.states().map(({ restsUntil, lastFailure }) => [restsUntil, lastFailure]),
    [[undefined, undefined]],
  );
});
