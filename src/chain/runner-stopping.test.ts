import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../change.ts';
import type { Store } from '../store/store.ts';
import { boom, recording, sink, startTestChain, storeWith, transform } from '../testing/test-chain.ts';
import { defineTransform, type HandlerDefinition, type HandlerLife } from './handler.ts';

describe('chain runner: deadlines and stopping', () => {
  test('28: a sink that ignores its signal fails after 30 s and delays no other object', async (t) => {
    const delivered: Change[] = [];
    let signal: AbortSignal | undefined;
    const hanging = sink('hanging', (change, context) => {
      if (change.key === 'shop/web') return new Promise(() => void (signal = context.signal));
      delivered.push(change);
      return Promise.resolve();
    });
    const chain = await startTestChain(t, { handlers: [hanging] });
    await chain.accept('shop/web', 'shop/api');
    await chain.clock.waitForSleepers(2);
    await chain.advance(30_000);
    assert.deepEqual(
      delivered.map(({ key }) => key),
      ['shop/api'],
    );
    assert.equal(signal?.aborted, true);
    assert.match(String(chain.logged.find(({ level }) => level === 'warn')?.['error']), /did not finish within 30 s/);
  });

  test('never runs more handlers at once than `concurrency`', async (t) => {
    const waiting: (() => void)[] = [];
    let most = 0;
    const slow = sink('slow', async () => {
      await new Promise<void>((resolve) => waiting.push(resolve));
    });
    const chain = await startTestChain(t, { handlers: [slow], concurrency: 2 });
    await chain.accept(...Array.from({ length: 6 }, (_, n) => `shop/web-${n}`));
    for (let n = 0; n < 6; n++) {
      while (waiting.length === 0) await new Promise(setImmediate);
      most = Math.max(most, waiting.length);
      waiting.shift()?.();
    }
    await chain.runner.idle();
    assert.equal(most, 2);
  });

  test('claims no more large manifests before the claimed ones have started', async (t) => {
    const waiting: (() => void)[] = [];
    let taken = 0;
    let begun = 0;
    let most = 0;
    const slow = sink('slow', async () => {
      begun++;
      await new Promise<void>((resolve) => waiting.push(resolve));
    });
    const chain = await startTestChain(t, {
      handlers: [slow],
      concurrency: 2,
      wrapStore: (store) =>
        storeWith(store, {
          claim: async (request) => {
            const claimed = await store.claim({ ...request, limit: 2 });
            taken += claimed.deliveries.length;
            return { ...claimed, deliveries: claimed.deliveries.map((one) => ({ ...one, bytes: 2 * 1024 ** 2 })) };
          },
        }),
    });
    await chain.accept(...Array.from({ length: 20 }, (_, n) => `shop/web-${n}`));
    for (let ended = 0; ended < 20; ended++) {
      while (waiting.length < Math.min(2, 20 - ended)) {
        await chain.clock.advance(1);
        await new Promise(setImmediate);
      }
      most = Math.max(most, taken - begun);
      waiting.shift()?.();
    }
    await chain.runner.idle();
    assert.ok(most <= 3, `${most} were taken and had not begun`);
    assert.equal((await chain.store.balances())[0]?.completed, 20);
  });

  test('stop() waits for running handlers, within its grace period', async (t) => {
    let finish = (): void => undefined;
    const chain = await startTestChain(t, {
      handlers: [sink('slow', () => new Promise<void>((resolve) => void (finish = resolve)))],
    });
    await chain.accept('shop/web');
    await chain.clock.waitForSleepers(2);
    const stopping = chain.runner.stop(20_000);
    finish();
    await stopping;
    assert.equal((await chain.store.balances())[0]?.completed, 1);
  });

  test('stop() with less time cuts short one under way, as when the Lease is lost meanwhile', async (t) => {
    const signals: AbortSignal[] = [];
    const hanging = sink('hanging', (_, { signal }) => new Promise(() => void signals.push(signal)));
    const chain = await startTestChain(t, { handlers: [hanging] });
    await chain.accept('shop/web');
    await chain.clock.waitForSleepers(2);
    const draining = chain.runner.stop(20_000);
    const abandoned = chain.runner.stop(0);
    await chain.clock.advance(0);
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [true],
    );
    await Promise.all([draining, abandoned]);
    assert.equal((await chain.store.balances())[0]?.pending, 1);
  });

  test('a delivery unfinished after the grace period is released, and delivered after the next start', async (t) => {
    let runs = 0;
    const attempts: number[] = [];
    const chain = await startTestChain(t, {
      handlers: [
        sink('slow', (_, { attempt }) => {
          attempts.push(attempt);
          return ++runs === 1 ? new Promise(() => undefined) : Promise.resolve();
        }),
      ],
    });
    await chain.accept('shop/web');
    await chain.clock.waitForSleepers(2);
    await chain.restart(5_000);
    await chain.runner.idle();
    assert.deepEqual(attempts, [1, 1]);
    assert.equal((await chain.store.balances())[0]?.completed, 1);
  });

  test('a delivery that is interrupted while the disk is full is released, and delivered after a reload', async (t) => {
    let runs = 0;
    const chain = await startTestChain(t, {
      handlers: [sink('slow', () => (++runs === 1 ? new Promise(() => undefined) : Promise.resolve()))],
      wrapStore: (store) =>
        storeWith(store, {
          release: (id, perhapsSent) =>
            perhapsSent === true ? Promise.reject(new Error('disk is full')) : store.release(id),
        }),
    });
    await chain.accept('shop/web');
    await chain.clock.waitForSleepers(2);
    await chain.restart(5_000);
    await chain.runner.idle();
    assert.equal((await chain.store.balances())[0]?.completed, 1);
  });

  test('a delivery claimed while the chain stops is released, and delivered after the next start', async (t) => {
    const delivered: Change[] = [];
    const claimed = Promise.withResolvers<void>();
    const mayAnswer = Promise.withResolvers<void>();
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered)],
      wrapStore: (store) => {
        const claim: Store['claim'] = async (request) => {
          const answer = await store.claim(request);
          if (answer.deliveries.length === 0) return answer;
          claimed.resolve();
          await mayAnswer.promise;
          return answer;
        };
        return storeWith(store, { claim });
      },
    });
    await chain.accept('shop/web');
    await claimed.promise;
    const restarting = chain.restart();
    mayAnswer.resolve();
    await restarting;
    await chain.runner.idle();
    assert.equal(delivered.length, 1);
  });

  test('no handler is called once mayWork() is false, and the change is released', async (t) => {
    const delivered: Change[] = [];
    let mayWork = true;
    const loses = transform('loses', (change) => {
      mayWork = false;
      return change;
    });
    const handlers = [loses, recording('sink', delivered)];
    const chain = await startTestChain(t, { handlers, mayWork: () => mayWork });
    await chain.accept('shop/web');
    await chain.runner.idle();
    assert.deepEqual([delivered.length, (await chain.store.balances())[0]?.pending], [0, 1]);
    mayWork = true;
    await chain.restart(0, handlers.slice(1));
    await chain.runner.idle();
    assert.deepEqual([delivered.length, (await chain.store.balances())[0]?.completed], [1, 1]);
  });

  test('a handler that reads its signal only after its deadline finds it aborted', async (t) => {
    const late = Promise.withResolvers<void>();
    const found: boolean[] = [];
    const slow = sink('slow', async (_, context) => {
      await late.promise;
      found.push(context.signal.aborted);
    });
    const chain = await startTestChain(t, { handlers: [slow] });
    await chain.accept('shop/web');
    await chain.clock.waitForSleepers(2);
    await chain.advance(30_000);
    late.resolve();
    await late.promise;
    assert.deepEqual(found, [true]);
  });

  test('handlers start in order and stop in reverse; a failing start stops what was created', async (t) => {
    const { life, living } = recordedLife();
    const chain = await startTestChain(t, { handlers: [living('a'), living('b')] });
    await chain.runner.stop(0);
    assert.deepEqual(life, ['start a', 'start b', 'stop b', 'stop a']);
    life.length = 0;
    const failing = living('b', { start: () => Promise.reject(boom('no licence')) });
    await assert.rejects(
      startTestChain(t, { handlers: [living('a'), failing, living('c')] }),
      /default\/b.*no licence/,
    );
    assert.deepEqual(life, ['start a', 'start b', 'stop c', 'stop b', 'stop a']);
    life.length = 0;
    const unusable = defineTransform({
      ...transform('d', (change) => change),
      create: () => assert.fail('no licence'),
    });
    await assert.rejects(startTestChain(t, { handlers: [living('a'), unusable] }), /default\/d.*no licence/);
    assert.deepEqual(life, ['stop a']);
  });

  test('a chain that does not start stops its branches, which have started before it', async (t) => {
    const { life, living } = recordedLife();
    const failing = living('trunk', { start: () => Promise.reject(boom('no licence')) });
    const branches = [{ name: 'a', handlers: [living('branch')] }];
    await assert.rejects(startTestChain(t, { handlers: [failing], branches }), /default\/trunk.*no licence/);
    assert.deepEqual(life, ['start branch', 'start trunk', 'stop trunk', 'stop branch']);
  });

  test('a handler that fails to stop, or hangs, keeps no other from stopping, and is named in the log', async (t) => {
    const { life, living } = recordedLife();
    const failing = living('b', { stop: () => Promise.reject(boom('no farewell')) });
    const hanging = living('c', { stop: () => new Promise(() => undefined) });
    const chain = await startTestChain(t, { handlers: [living('a'), failing, hanging] });
    const stopping = chain.runner.stop(0);
    await chain.clock.advance(0);
    await chain.clock.waitForSleepers(1);
    await chain.clock.advance(5_000);
    await stopping;
    assert.deepEqual(life.slice(3), ['stop c', 'stop b', 'stop a']);
    assert.deepEqual(
      chain.logged
        .filter(({ level }) => level === 'warn')
        .map(({ message, handler, error }) => [message, handler, error]),
      [
        ['Handler did not stop cleanly', 'default/c', 'it did not finish within 5 s'],
        ['Handler did not stop cleanly', 'default/b', 'no farewell'],
      ],
    );
  });
});

/** Handlers that record when they start and stop, in one list. */
function recordedLife() {
  const life: string[] = [];
  const living = (name: string, own: HandlerLife = {}): HandlerDefinition =>
    defineTransform({
      ...transform(name, (change) => change),
      create: () => ({
        handle: (change) => change,
        start: async () => (life.push(`start ${name}`), own.start?.()),
        stop: async () => (life.push(`stop ${name}`), own.stop?.()),
      }),
    });
  return { life, living };
}
