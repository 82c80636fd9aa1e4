import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReceiverResponse } from '../delivery/receiver.ts';
import { createMetrics } from '../metrics.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { logInto } from '../testing/log-into.ts';
import { startReceiver } from '../testing/receiver.ts';
import { receiversFor } from '../testing/test-sink.ts';
import { until } from '../../test/until.ts';
import { Exporter } from './exporter.ts';
import type { Span } from './span.ts';

const SPAN: Span = {
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  parentSpanId: undefined,
  name: 'default',
  startMs: 0,
  endMs: 1,
  attributes: {},
  error: undefined,
};

test('Exporter.stop() takes 2 s at most, however many requests to a slow collector it would need', async () => {
  const clock = new FakeClock();
  const logged: string[] = [];
  let request = Promise.withResolvers<(response: ReceiverResponse) => void>();
  const exporter = new Exporter({
    config: { endpoint: 'http://collector:4318', headers: {}, ratio: 1 },
    clusterName: 'test',
    receivers: {
      sendOnce: (_, { signal }) =>
        new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')));
          request.resolve(resolve);
        }),
    },
    clock,
    log: logInto(({ message, spans }) => logged.push(`${message}: ${String(spans)}`)),
    metrics: createMetrics(),
  });
  for (let n = 0; n < 600; n++) exporter.add(SPAN);
  const stopped = exporter.stop();
  const answer = await request.promise;
  await clock.advance(1_500);
  request = Promise.withResolvers();
  answer({ status: 200, headers: {}, body: '' });
  await request.promise;
  await clock.advance(500);
  await stopped;
  assert.deepEqual(logged, ['Not all traces were sent before the stop: 88']);
});

test('Exporter counts the spans that an answer of success refuses as dropped, and logs that once', async (t) => {
  const [clock, metrics] = [new FakeClock(), createMetrics()];
  const partial = { partialSuccess: { rejectedSpans: '2', errorMessage: 'no such tenant' } };
  const answers = [
    partial,
    partial,
    { partialSuccess: { rejectedSpans: 0 } },
    'ok',
    { partialSuccess: partial },
    partial,
  ];
  const collector = await startReceiver((_, n) => ({ body: JSON.stringify(answers[n - 1]) }));
  t.after(() => collector.close());
  const logged: string[] = [];
  const exporter = new Exporter({
    config: { endpoint: collector.url, headers: {}, ratio: 1 },
    clusterName: 'test',
    receivers: receiversFor(t, { clock }),
    clock,
    log: logInto(({ refused, problem }) => logged.push(`${String(refused)}: ${String(problem)}`)),
    metrics,
  });
  const counted = async () =>
    (await metrics.spans.get()).values.map(({ labels, value }) => [labels.outcome, value] as const);
  for (const n of answers.keys()) {
    for (let span = 0; span < 3; span++) exporter.add(SPAN);
    await clock.advance(5_000);
    await until(
      'the answer is counted',
      async () => (await counted()).reduce((sum, [, n]) => sum + n, 0) === 3 * (n + 1),
    );
  }
  await exporter.stop();
  assert.deepEqual(await counted(), [
    ['sent', 12],
    ['dropped', 6],
  ]);
  assert.deepEqual(logged, ['2: no such tenant', '2: no such tenant']);
  assert.equal(collector.requests.length, answers.length, 'nothing is sent again');
});
