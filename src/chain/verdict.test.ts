import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../change.ts';
import type { Json } from '../json.ts';
import { countOf, sink, startTestChain, stateful, transform, type TestChain } from '../testing/test-chain.ts';
import { changeOf } from '../testing/change.ts';
import { rehearse } from '../testing/rehearse.ts';
import { defineSink, halt, type HandlerDefinition, type StatefulContext } from './handler.ts';

const circular: Record<string, unknown> = {};
circular['itself'] = circular;

type Wake = StatefulContext<Json>['wakeAt'];
const keeping = (state: (change: Change, wakeAt: Wake) => unknown) =>
  stateful('own', (change, { wakeAt }) => ({ verdict: change, state: state(change, wakeAt) as Json }));

/** By the handler's answer: the types allow only the first, JavaScript all of them. */
const REFUSED: Readonly<Record<string, [HandlerDefinition, RegExp]>> = {
  'a wake-up at an invalid time': [
    keeping(({ key }, wakeAt) => wakeAt(key, Date.parse('soon')) ?? 1),
    /wakeAt\(\) expects milliseconds since the epoch or null, got NaN/,
  ],
  'a wake-up at a time in nanoseconds': [
    keeping(({ key }, wakeAt) => wakeAt(key, 1.8e18) ?? 1),
    /wakeAt\(\) expects milliseconds since the epoch or null, got 1800000000000000000/,
  ],
  'a wake-up without a key': [
    keeping((_, wakeAt) => wakeAt(undefined as unknown as string, 1) ?? 1),
    /wakeAt\(\) expects the key of an object, got undefined/,
  ],
  'no state': [keeping(() => undefined), /its state is undefined, expected a JSON value/],
  'a function as its state': [keeping(() => () => 1), /its state is function/],
  'a state with a BigInt': [keeping(() => ({ count: 1n })), /BigInt/],
  'a state that contains itself': [keeping(() => circular), /circular structure/],
  'a part of a change': [
    transform('own', () => ({ action: 'added' }) as Change),
    /it returned { action: 'added' }, expected the change or halt/,
  ],
  'a verdict without a state': [
    stateful('own', (change) => change as never),
    /it returned only its verdict, expected { verdict, state }/,
  ],
  'no return value': [
    stateful('own', () => undefined as never),
    /it returned undefined, expected { verdict, state }: probably a missing return or await/,
  ],
  'something that contains itself': [
    transform('own', () => circular as unknown as Change),
    /it returned <ref \*1> { itself: \[Circular \*1\] }, expected the change or halt/,
  ],
  'a boolean': [transform('own', () => true as unknown as Change), /it returned true, expected the change or halt/],
};

/** Runs until nothing is left to do; a change that the store refuses would be left forever. */
async function toTheEnd(chain: TestChain): Promise<void> {
  await chain.accept('shop/web');
  for (let n = 0; n < 10; n++) await chain.advance(10_000);
}

describe('the return value of a handler', () => {
  for (const [what, [definition, problem]] of Object.entries(REFUSED)) {
    test(
      `${what} is a failed attempt of that change, in the service and in rehearse()`,
      { timeout: 20_000 },
      async (t) => {
        const chain = await startTestChain(t, { handlers: [definition] });
        await toTheEnd(chain);
        assert.deepEqual(
          chain.logged.filter(({ message }) => /Cannot write to the store/.test(message)),
          [],
        );
        assert.equal(await countOf(chain.metrics, 'ends_total', { end: 'dead' }), 1);
        const after = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web', namespace: 'shop' } };
        const { changes } = await rehearse(definition, { changes: [changeOf({ after })] });
        assert.equal(changes[0]?.verdict, 'error');
        assert.match(changes[0].reason ?? '', problem);
      },
    );
  }

  for (const [what, made, problem] of [
    [
      'nothing',
      undefined,
      /its create\(\) returned nothing that has deliver\(\), expected { deliver\(change, context\) }/,
    ],
    ['another object', { send: () => undefined }, /its create\(\) returned nothing that has deliver\(\)/],
    ['a promise', Promise.resolve({}), /its create\(\) returned a promise.*: wait in start\(\)/],
  ] as const) {
    test(`${what} instead of an instance prevents the start, and fails rehearse()`, async (t) => {
      const definition = defineSink({ ...sink('own', async () => {}), create: () => made as never });
      await assert.rejects(startTestChain(t, { handlers: [definition] }), problem);
      const after = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web', namespace: 'shop' } };
      await assert.rejects(rehearse(definition, { changes: [changeOf({ after })] }), problem);
    });
  }

  for (const [part, made] of [
    ['batch.windowMs', { batch: () => ({ windowMs: '5s', over: 0, max: 10 }) }],
    ['batch.over', { batch: () => ({ windowMs: 5_000, max: 10 }) }],
    ['deadlineMs', { deadlineMs: () => NaN }],
  ] as const) {
    test(`no number as ${part} prevents the start`, async (t) => {
      const definition = defineSink({ ...sink('own', async () => {}), ...made } as never);
      const problem = new RegExp(`own .*cannot be used: its ${part} must be a number: current value is`);
      await assert.rejects(startTestChain(t, { handlers: [definition] }), problem);
    });
  }

  test('a halt without a reason still halts, from any kind of handler', { timeout: 20_000 }, async (t) => {
    for (const reason of [undefined, new Error('none'), { code: 1 }] as unknown as string[]) {
      for (const definition of [
        transform('own', () => halt(reason)),
        sink('own', () => Promise.resolve(halt(reason))),
        stateful('own', () => ({ verdict: halt(reason), state: null })),
      ]) {
        const chain = await startTestChain(t, { handlers: [definition] });
        await toTheEnd(chain);
        assert.equal(await countOf(chain.metrics, 'ends_total', { end: 'halted' }), 1);
        const entry = chain.logged.find(({ message }) => message === 'Change halted');
        assert.equal(entry?.['reason'], 'it gave no reason');
      }
    }
  });

  test('a verdict with extra properties is accepted', { timeout: 20_000 }, async (t) => {
    const more = { until: 1, at: 'noon', change: 'none' };
    for (const [end, definition] of [
      ['halted', transform('own', () => ({ ...halt('not now'), ...more }))],
      ['completed', transform('own', (change) => ({ ...change, ...more }))],
    ] as const) {
      const chain = await startTestChain(t, { handlers: [definition] });
      await toTheEnd(chain);
      assert.equal(await countOf(chain.metrics, 'ends_total', { end }), 1);
    }
  });

  test('a state is handed back as the store would return it', async () => {
    const states: unknown[] = [];
    const definition = stateful<Json>('own', (change, { state }) => {
      states.push(state);
      return { verdict: change, state: { at: new Date(0), gone: undefined } as unknown as Json };
    });
    const after = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web', namespace: 'shop' } };
    await rehearse(definition, { changes: [changeOf({ after }), changeOf({ after })] });
    assert.deepEqual(states, [undefined, { at: '1970-01-01T00:00:00.000Z' }]);
  });
});
