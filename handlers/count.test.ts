import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Registry } from 'prom-client';
import type { SinkInstance } from '../src/chain/handler.ts';
import type { Manifest } from '../src/change.ts';
import { HandlerCounters } from '../src/handler-counters.ts';
import { changeOf } from '../src/testing/change.ts';
import { problemsOf, testContext, testEnvironment } from '../src/testing/handler.ts';
import { logInto, type LoggedLine } from '../src/testing/log-into.ts';
import count from './count.ts';

const event = (reason: string, namespace = 'shop'): Manifest => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'a', namespace, uid: 'u', resourceVersion: '7' },
  reason,
});

const BY_REASON = { metric: 'events_total', help: 'Events', labels: { reason: '{{ event.reason }}' } };

class Counting {
  readonly logged: LoggedLine[] = [];
  readonly #registry = new Registry();
  readonly #counters = new HandlerCounters(this.#registry);

  handler(options: object, id = 'default/count'): SinkInstance {
    assert.equal(count.type, 'sink');
    const log = logInto((line) => this.logged.push(line));
    return count.create(count.options.parse(options), testEnvironment({ id, counters: this.#counters, log }));
  }

  /** What Prometheus reads. */
  async text(): Promise<string> {
    return this.#registry.metrics();
  }
}

async function deliver(handler: SinkInstance, ...manifests: readonly Manifest[]): Promise<void> {
  for (const after of manifests) await handler.deliver(changeOf({ after }), testContext());
}

describe('count', () => {
  test('counts changes by the labels of the configuration', async () => {
    const counting = new Counting();
    const labels = { reason: '{{ event.reason }}', namespace: '{{ change.namespace }}' };
    const handler = counting.handler({ ...BY_REASON, labels });
    await deliver(handler, event('BackOff'), event('Pulled'), event('BackOff'), event('BackOff', 'prod'));
    assert.equal(
      await counting.text(),
      [
        '# HELP events_total Events',
        '# TYPE events_total counter',
        'events_total{reason="BackOff",namespace="shop"} 2',
        'events_total{reason="Pulled",namespace="shop"} 1',
        'events_total{reason="BackOff",namespace="prod"} 1',
        '',
      ].join('\n'),
    );
  });

  test('without labels counts to one number, which is there from the start', async () => {
    const counting = new Counting();
    const handler = counting.handler({ metric: 'changes_total' });
    assert.match(await counting.text(), /^changes_total 0$/m);
    await deliver(handler, event('BackOff'), event('Pulled'));
    assert.match(await counting.text(), /^changes_total 2$/m);
  });

  test('cuts a value after 128 characters, and shows quotes and line breaks as Prometheus expects', async () => {
    const counting = new Counting();
    await deliver(counting.handler(BY_REASON), event(`"\n${'x'.repeat(200)}`));
    assert.ok((await counting.text()).includes(`{reason="\\"\\n${'x'.repeat(126)}…"} 1\n`));
  });

  test('counts with "other" beyond 1,000 combinations, and says so once', async () => {
    const counting = new Counting();
    const handler = counting.handler(BY_REASON);
    await deliver(handler, ...Array.from({ length: 1_002 }, (_, n) => event(`reason-${n}`)), event('reason-1'));
    const text = await counting.text();
    assert.match(text, /^events_total\{reason="other"\} 2$/m);
    assert.match(text, /^events_total\{reason="reason-1"\} 2$/m);
    assert.equal(text.trimEnd().split('\n').length, 2 + 1_000 + 1);
    assert.deepEqual(
      counting.logged.map(({ level, metric }) => [level, metric]),
      [['warn', 'events_total']],
    );
  });

  test('shares a counter with a handler that has the same metric and labels', async () => {
    const counting = new Counting();
    await deliver(counting.handler(BY_REASON), event('BackOff'));
    await deliver(counting.handler(BY_REASON, 'default/ops/count'), event('BackOff'));
    assert.match(await counting.text(), /^events_total\{reason="BackOff"\} 2$/m);
  });

  test('refuses a metric that another handler has with other labels, until that handler stops', async () => {
    const counting = new Counting();
    const first = counting.handler(BY_REASON);
    const second = () => counting.handler({ metric: 'events_total' }, 'default/ops/count');
    assert.throws(second, { message: 'default/count already counts "events_total" with other labels' });
    await first.stop?.();
    await deliver(second(), event('BackOff'));
    assert.match(await counting.text(), /^events_total 1$/m);
  });

  test('keeps counting when it is made again, as by a reload', async () => {
    const counting = new Counting();
    const before = counting.handler(BY_REASON);
    await deliver(before, event('BackOff'));
    await before.stop?.();
    await deliver(counting.handler(BY_REASON), event('BackOff'));
    assert.match(await counting.text(), /^events_total\{reason="BackOff"\} 2$/m);
  });

  test('shows in a dry run what it would count, and does not count', async () => {
    const counting = new Counting();
    const handler = counting.handler(BY_REASON);
    assert.equal(
      await handler.preview?.(changeOf({ after: event('BackOff') }), testContext()),
      'events_total{reason="BackOff"} + 1',
    );
    assert.ok(!(await counting.text()).includes('BackOff'));
  });

  test('refuses names that are not those of a counter, and templates with mistakes', () => {
    const name =
      'metric: must be letters, digits and "_", end in "_total", and not begin with "watchchain_", "process_" or "nodejs_"';
    for (const metric of [
      'events',
      'watchchain_ends_total',
      'nodejs_x_total',
      'process_x_total',
      '1_total',
      'a-b_total',
    ])
      assert.deepEqual(problemsOf(count, { metric }), [name], metric);
    const labels = { __name__: 'x', 'a-b': 'x', namespace: '{{ chagne.namespace }}' };
    const problems = problemsOf(count, { metric: 'events_total', labels });
    const [template, ...names] = problems;
    assert.match(template ?? '', /^labels\.namespace: must be a Liquid template: .*did you mean "change"\?/);
    const rule = 'must be letters, digits and "_", and not begin with a digit or "__"';
    assert.deepEqual(names, [`labels: the name "__name__" ${rule}`, `labels: the name "a-b" ${rule}`]);
  });
});
