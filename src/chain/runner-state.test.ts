import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Change } from '../change.ts';
import { WaitError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import {
  boom,
  grouping,
  recording,
  sink,
  startTestChain,
  stateful,
  storeWith,
  transform,
  type TestChainOptions,
} from '../testing/test-chain.ts';
import { defineTransform, halt, type StatefulInstance } from './handler.ts';

describe('chain runner: state', () => {
  test('a retry sees the old state, so a change is counted once', async (t) => {
    const counted: number[] = [];
    const counting = stateful<number>('counting', (change, { state = 0 }) => {
      counted.push(state + 1);
      return { verdict: change, state: state + 1 };
    });
    const failOnce = recording('sink', [], (n) => (n === 1 ? boom() : undefined));
    const chain = await startTestChain(t, { handlers: [counting, failOnce] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    await chain.accept('shop/web', 'shop/api');
    await chain.runner.idle();
    assert.deepEqual(counted, [1, 1, 2, 1]);
  });

  test('a wake-up comes back as a timer to the handler that asked, skipping those before it', async (t) => {
    const seen: string[] = [];
    const first = transform('first', (change) => {
      seen.push(`first ${change.action}`);
      return change;
    });
    const waking = stateful<string>('waking', (change, { now, wakeAt }) => {
      if (change.action !== 'timer') wakeAt(change.key, now + 60_000);
      return { verdict: change, state: change.action };
    });
    const last = sink('last', (change) => (seen.push(`last ${change.action} ${change.key}`), Promise.resolve()));
    const chain = await startTestChain(t, { handlers: [first, waking, last] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    for (let n = 0; n < 13; n++) await chain.advance(5_000);
    assert.deepEqual(seen, ['first added', 'last added shop/web', 'last timer shop/web']);
  });

  test('a wake-up waits while an earlier handler holds changes back, and comes when that is over', async (t) => {
    const seen: string[] = [];
    let isQuiet = false;
    const quiet = defineTransform({
      ...transform('quiet', (change) => change),
      holdsWakeUps: true,
      create: () => ({
        handle: (change) => {
          if (isQuiet) throw new WaitError(chain.clock.steady() + 10_000);
          return change;
        },
      }),
    });
    const waking = stateful<string>('waking', (change, { now, wakeAt }) => {
      seen.push(`waking ${change.action}`);
      if (change.action !== 'timer') wakeAt(change.key, now + 5_000);
      return { verdict: change, state: change.action };
    });
    const last = sink('last', ({ action }) => (seen.push(`last ${action}`), Promise.resolve()));
    const chain = await startTestChain(t, { handlers: [quiet, waking, last] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    isQuiet = true;
    for (let n = 0; n < 4; n++) await chain.advance(5_000);
    assert.equal(seen.includes('last timer'), false);
    isQuiet = false;
    for (let n = 0; n < 4; n++) await chain.advance(5_000);
    assert.deepEqual(
      seen.filter((line) => line.startsWith('last')),
      ['last added', 'last timer'],
    );
  });
});

describe('chain runner: groups', () => {
  /** Counts by the first letter of the name. */
  const counting = (told: string[], more: Partial<StatefulInstance<number>> = {}) =>
    grouping<number>('counting', {
      group: (change) => change.name.slice(0, 1),
      handle: (change, { state = 0 }) => {
        told.push(`${change.name} ${state + 1}`);
        return { verdict: change, state: state + 1 };
      },
      ...more,
    });

  test('objects of one group share one state and count once each, even when they run concurrently', async (t) => {
    const told: string[] = [];
    const chain = await startTestChain(t, { handlers: [counting(told)] });
    await chain.accept('shop/a1', 'shop/a2', 'shop/b1', 'shop/a3', 'shop/a1');
    await chain.runner.idle();
    assert.deepEqual(told.toSorted(), ['a1 1', 'a1 4', 'a2 2', 'a3 3', 'b1 1'].toSorted());
  });

  test('a failure after the stateful handler commits no state, and nothing of the group overtakes it', async (t) => {
    const told: string[] = [];
    const delivered: Change[] = [];
    const failOnce = recording('sink', delivered, (n) => (n === 1 ? boom() : undefined));
    const chain = await startTestChain(t, { handlers: [counting(told), failOnce] });
    await chain.accept('shop/a1', 'shop/a2', 'shop/b1');
    await chain.runner.idle();
    assert.deepEqual(told.toSorted(), ['a1 1', 'b1 1']);
    await chain.restart();
    await chain.advance(2_000);
    assert.deepEqual(
      delivered.map(({ name }) => name),
      ['b1', 'a1', 'a2'],
    );
    assert.deepEqual(told.toSorted(), ['a1 1', 'a1 1', 'a2 2', 'b1 1']);
  });

  test('hundreds of changes of one group run without waiting for the next poll of the store', async (t) => {
    const told: string[] = [];
    const chain = await startTestChain(t, { handlers: [counting(told)] });
    await chain.runner.stop(0);
    await chain.accept(...Array.from({ length: 300 }, (_, n) => `shop/a${n}`));
    await chain.restart();
    await chain.runner.idle();
    assert.equal(told.length, 300);
  });

  /** Counts, and halts all except those whose number ends in 5. */
  const mostlyHalting = (told: string[], more: Partial<StatefulInstance<number>> = {}) =>
    counting(told, {
      handle: (change, { state = 0 }) => {
        told.push(`${change.name} ${state + 1}`);
        return { verdict: change.name.endsWith('5') ? change : halt('counted'), state: state + 1 };
      },
      ...more,
    });

  /** Waiting in one group when the chain starts. */
  async function startBehind(t: TestContext, n: number, options: TestChainOptions) {
    const calls = { complete: 0, completeAll: 0 };
    const { wrapStore: wrap = (store: Store) => store } = options;
    const wrapStore = (store: Store): Store =>
      wrap(
        Object.assign(store, {
          complete: counted(calls, 'complete', store.complete.bind(store)),
          completeAll: counted(calls, 'completeAll', store.completeAll.bind(store)),
        }),
      );
    const chain = await startTestChain(t, { ...options, wrapStore });
    await chain.runner.stop(0);
    await chain.accept(...Array.from({ length: n }, (_, i) => `shop/a${i}`));
    await chain.restart();
    return { chain, calls };
  }

  function counted<A extends unknown[], R, K extends string>(
    calls: Record<K, number>,
    name: K,
    work: (...args: A) => R,
  ) {
    return (...args: A): R => {
      calls[name]++;
      return work(...args);
    };
  }

  const names = (n: number): readonly string[] => Array.from({ length: n }, (_, i) => `a${i} ${i + 1}`);

  test('halts in a group are committed together, in order, while passed changes complete one by one', async (t) => {
    const told: string[] = [];
    const delivered: Change[] = [];
    const branched: Change[] = [];
    const { chain, calls } = await startBehind(t, 60, {
      handlers: [mostlyHalting(told), recording('sink', delivered)],
      branches: [{ name: 'more', handlers: [recording('sink', branched)] }],
    });
    await chain.runner.idle();
    assert.deepEqual(told, names(60));
    for (const got of [delivered, branched]) {
      assert.deepEqual(
        got.map(({ name }) => name),
        ['a5', 'a15', 'a25', 'a35', 'a45', 'a55'],
      );
    }
    assert.ok(calls.complete + calls.completeAll <= 20, JSON.stringify(calls));
    const [balance] = await chain.store.balances();
    assert.deepEqual([balance?.completed, balance?.halted, balance?.pending], [6, 54, 0]);
  });

  test('a state removed by one change of a group is gone for the next', async (t) => {
    const told: string[] = [];
    const forgetting = grouping<string>('forgetting', {
      group: ({ name }) => name.slice(0, 1),
      handle({ name }, { state = 'none' }) {
        told.push(`${name} ${state}`);
        return { verdict: halt('seen'), state: name === 'a1' ? null : 'kept' };
      },
    });
    const { chain } = await startBehind(t, 4, { handlers: [forgetting] });
    await chain.runner.idle();
    assert.deepEqual(told, ['a0 none', 'a1 kept', 'a2 none', 'a3 kept']);
  });

  test('a failure in the middle of a group keeps the state before it, and holds back the changes after it', async (t) => {
    const told: string[] = [];
    const delivered: Change[] = [];
    const failOnce = recording('sink', delivered, (n) => (n === 1 ? boom() : undefined));
    const { chain } = await startBehind(t, 10, { handlers: [mostlyHalting(told), failOnce] });
    await chain.runner.idle();
    assert.deepEqual(told, names(6), 'a5 waits for its retry');
    const [balance] = await chain.store.balances();
    assert.deepEqual([balance?.halted, balance?.pending], [5, 5]);
    await chain.restart();
    await chain.advance(2_000);
    assert.deepEqual(told, [...names(6), ...names(10).slice(5)], 'counting continues from the stored state');
  });

  test('a stop in the middle of a group keeps what has halted, and counts nothing twice', async (t) => {
    const told: string[] = [];
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const slow = mostlyHalting(told, {
      async handle(change, { state = 0 }) {
        told.push(`${change.name} ${state + 1}`);
        if (change.name === 'a4') reached.resolve();
        if (change.name === 'a4') await goOn.promise;
        return { verdict: halt('counted'), state: state + 1 };
      },
    });
    const { chain } = await startBehind(t, 10, { handlers: [slow] });
    const idle = chain.runner.idle();
    await reached.promise;
    const stopping = chain.runner.stop(60_000);
    goOn.resolve();
    await Promise.all([idle, stopping]);
    assert.deepEqual(told, names(5));
    await chain.restart();
    await chain.runner.idle();
    assert.deepEqual(told, names(10));
  });

  test('a stop while the store refuses those that halted ends none after them, so that no change overtakes', async (t) => {
    const told: string[] = [];
    const delivered: Change[] = [];
    const refused = Promise.withResolvers<void>();
    let isRefused = true;
    const { chain } = await startBehind(t, 7, {
      handlers: [mostlyHalting(told), recording('sink', delivered)],
      wrapStore: (store) =>
        storeWith(store, {
          completeAll: (...args) => {
            if (!isRefused) return store.completeAll(...args);
            refused.resolve();
            return Promise.reject(boom('no space'));
          },
        }),
    });
    const idle = chain.runner.idle();
    await refused.promise;
    isRefused = false;
    await chain.restart();
    await idle;
    await chain.runner.idle();
    assert.deepEqual(told, [...names(6), ...names(7).slice(1)]);
    assert.deepEqual(
      delivered.map(({ name }) => name),
      ['a5', 'a5'],
    );
  });

  test('group() may halt a change before it takes a turn in a group', async (t) => {
    const told: string[] = [];
    const chain = await startTestChain(t, { handlers: [counting(told, { group: () => halt('nothing wrong') })] });
    await chain.accept('shop/a1');
    await chain.runner.idle();
    assert.deepEqual(told, []);
    const [delivery] = (await chain.store.trip(1))?.deliveries ?? [];
    assert.deepEqual([delivery?.state, delivery?.reason], ['halted', 'nothing wrong']);
  });

  test('a wake-up belongs to the group, and group() is not called for it', async (t) => {
    const seen: string[] = [];
    const waking = grouping<string>('waking', {
      group: ({ action, name }) => (action === 'timer' ? halt('asked again') : name.slice(0, 1)),
      handle(change, { state = '', now, wakeAt }) {
        if (change.action !== 'timer') wakeAt(change.key, now + 60_000);
        else seen.push(state);
        return { verdict: change, state: `${state} ${change.name}` };
      },
    });
    const chain = await startTestChain(t, { handlers: [waking] });
    await chain.accept('shop/a1', 'shop/a2');
    await chain.runner.idle();
    for (let n = 0; n < 13; n++) await chain.advance(5_000);
    assert.deepEqual(seen, [' a1 a2']);
  });

  test('a handler that names no group for a change fails', async (t) => {
    const nameless = counting([], { group: () => undefined as unknown as string });
    const chain = await startTestChain(t, { handlers: [nameless], retry: { retries: 0 } });
    await chain.accept('shop/a1');
    await chain.runner.idle();
    const [letter] = await chain.store.deadLetters({ limit: 1 });
    assert.match(letter?.error ?? '', /it returned no group/);
  });

  test('a chain with a grouping handler refuses another stateful handler', async (t) => {
    const other = stateful<number>('other', (change) => ({ verdict: change, state: 1 }));
    await assert.rejects(
      startTestChain(t, { handlers: [counting([]), other] }),
      /default\/counting keeps state by group.*move default\/other to a branch, or to a chain of its own/,
    );
  });
});
