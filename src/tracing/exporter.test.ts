import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReceiverResponse } from '../delivery/receiver.ts';
import { createMetrics } from '../metrics.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { logInto } from '../testing/log-into.ts';
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
