import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Change } from '../change.ts';
import { withParts } from '../change/lazy-change.ts';
import { TerminalError, WaitError } from '../errors.ts';
import type { ClaimRequest } from '../store/delivery.ts';
import type { Store } from '../store/store.ts';
import {
  countOf,
  grouping,
  sink,
  startTestChain,
  stateful,
  transform,
  type TestChainOptions,
} from '../testing/test-chain.ts';
import { defineTransform, halt, type HandlerDefinition, type StatefulInstance } from './handler.ts';
import { handlerOfFunction } from './handler-function.ts';

/** A sink that records what it was given, and throws what `fail` returns for its nth call. */
function recording(name: string, seen: Change[], fail: (n: number) => unknown = () => undefined): HandlerDefinition {
  let calls = 0;
  return sink(name, (change) => {
    const failure = fail(++calls);
    if (failure !== undefined) return Promise.reject(failure);
    seen.push(change);
    return Promise.resolve();
  });
}

const boom = (message = 'boom') => new Error(message);

describe('chain runner: order and verdicts', () => {
  test('21: runs handlers strictly in config order, each seeing what the one before passed', async (t) => {
    const order: string[] = [];
    const passing = (name: string): HandlerDefinition =>
      transform(name, (change) => {
        order.push(`${name} sees ${change.key}`);
        return withParts(change, { key: `${change.key}>${name}` });
      });
    const delivered: Change[] = [];
    const chain = await startTestChain(t, { handlers: [passing('a'), passing('b'), recording('c', delivered)] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    assert.deepEqual(order, ['a sees shop/web', 'b sees shop/web>a']);
    assert.equal(delivered[0]?.key, 'shop/web>a>b');
    assert.equal(await countOf(chain.metrics, 'ends_total', { end: 'completed' }), 1);
  });

  test('20: a halt stops the rest without error or retry, and the log names handler and reason', async (t) => {
    const delivered: Change[] = [];
    const stopping = transform('stopping', () => halt('not today'));
    const chain = await startTestChain(t, { handlers: [stopping, recording('last', delivered)] });
    await chain.accept('shop/web');
    await chain.advance(60_000);
    assert.equal(delivered.length, 0);
    assert.equal(await countOf(chain.metrics, 'attempts_total', {}), 1);
    assert.deepEqual(
      chain.logged.filter(({ level }) => level !== 'debug'),
      [],
    );
    const entry = chain.logged.find(({ message }) => message === 'Change halted');
    assert.equal(entry?.['by'], 'default/stopping');
    assert.equal(entry?.['reason'], 'not today');
    const [balance] = await chain.store.balances();
    assert.equal(balance?.halted, 1);
    assert.equal(balance?.pending, 0);
  });

  test('20: an error is logged with handler and key, and of a URL only its host', async (t) => {
    const failing = recording('failing', [], () => boom('POST https://hooks.slack.com/services/T0/B0/secret failed'));
    const chain = await startTestChain(t, { handlers: [failing] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    const entry = chain.logged.find(({ level }) => level === 'warn');
    assert.equal(entry?.['handler'], 'default/failing');
    assert.equal(entry?.['key'], 'shop/web');
    assert.equal(entry?.['error'], 'POST https://hooks.slack.com failed');
  });

  test('a transform that returns nothing fails with the likely cause; a plain function may return nothing', async (t) => {
    const forgetful = transform('forgetful', () => undefined as unknown as Change);
    const chain = await startTestChain(t, { handlers: [forgetful] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    assert.match(String(chain.logged.find(({ level }) => level === 'warn')?.['error']), /missing return or await/);

    const plain = handlerOfFunction('plain', () => undefined);
    const delivered: Change[] = [];
    const other = await startTestChain(t, { handlers: [plain, recording('last', delivered)] });
    await other.accept('shop/web');
    await other.runner.idle();
    assert.equal(delivered.length, 1);
  });

  test('a plain function gets its own log, signal and key, and its options', async (t) => {
    const plain = handlerOfFunction('plain', (_change, { log, signal, idempotencyKey, options }) => {
      log.info('Called', { isAborted: signal.aborted, idempotencyKey, options });
    });
    const chain = await startTestChain(t, { handlers: [plain] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    const called = chain.logged.find(({ message }) => message === 'Called');
    assert.equal(called?.['isAborted'], false);
    assert.deepEqual([called['handler'], called['key'], called['options']], ['default/plain', 'shop/web', {}]);
    assert.match(String(called['idempotencyKey']), /\|default\/plain$/);
  });

  test('a handler that mutates a change fails, because changes are frozen in tests', async (t) => {
    const mutating = transform('mutating', (change) => Object.assign(change.after ?? {}, { spec: 1 }) as never);
    const chain = await startTestChain(t, { handlers: [mutating] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    assert.match(String(chain.logged.find(({ level }) => level === 'warn')?.['error']), /not extensible/);
  });
});

test('chain runner: the start fails naming a handler that cannot be created', async (t) => {
  const broken: HandlerDefinition = {
    ...sink('broken', () => Promise.resolve()),
    type: 'sink',
    create: () => {
      throw new Error('no such zone');
    },
  };
  await assert.rejects(startTestChain(t, { handlers: [broken] }), {
    message: 'Handler default/broken (test) cannot be used: no such zone',
  });
});

describe('chain runner: retry', () => {
  test('17: a change whose sink fails once is delivered exactly once, with its before and after', async (t) => {
    const delivered: Change[] = [];
    const chain = await startTestChain(t, {
      handlers: [recording('slack', delivered, (n) => (n === 2 ? boom() : undefined))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    await chain.advance(60_000);
    assert.deepEqual(
      delivered.map(({ action, before, after }) => [action, before?.['version'], after?.['version']]),
      [
        ['added', undefined, 1],
        ['updated', 1, 2],
      ],
    );
  });

  test('18: retries go on for at least 31 s, then the change is a dead letter, logged with its key and counted', async (t) => {
    const at: number[] = [];
    const chain = await startTestChain(t, {
      handlers: [
        sink('failing', () => {
          at.push(chain.clock.monotonic());
          return Promise.reject(boom());
        }),
      ],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    for (let second = 0; second < 70; second++) await chain.advance(1_000);
    assert.equal(at.length, 4);
    const waits = at.slice(1).map((time, n) => time - (at[n] ?? 0));
    for (const [n, wait] of waits.entries()) {
      assert.ok(wait >= 1_000 * 5 ** n && wait <= 2_000 * 5 ** n + 1_000, `wait ${n} took ${wait} ms`);
    }
    const entry = chain.logged.find(({ level }) => level === 'error');
    assert.equal(entry?.['key'], 'shop/web');
    assert.equal(entry?.['attempts'], 4);
    assert.equal(await countOf(chain.metrics, 'ends_total', { end: 'dead' }), 1);
    const [dead] = await chain.store.deadLetters({ limit: 10 });
    assert.equal(dead?.handler, 'default/failing');
    assert.equal(dead?.error, 'boom');
    assert.equal(dead?.attempts, 4);
  });

  test('no retry waits longer than an hour, however many are configured', async (t) => {
    const at: number[] = [];
    const chain = await startTestChain(t, {
      retry: { retries: 12 },
      handlers: [
        sink('failing', () => {
          at.push(chain.clock.monotonic());
          return Promise.reject(boom());
        }),
      ],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    for (let step = 0; step < 12 * 6; step++) await chain.advance(600_000);
    assert.equal(at.length, 13);
    const waits = at.slice(1).map((time, n) => time - (at[n] ?? 0));
    assert.ok(Math.max(...waits) <= 3_600_000 + 600_000, waits.join());
  });

  test('19: in [log, a, b] where b fails once, log and a run once', async (t) => {
    const [log, a, b]: [Change[], Change[], Change[]] = [[], [], []];
    const handlers = [
      recording('log', log),
      recording('a', a),
      recording('b', b, (n) => (n === 1 ? boom() : undefined)),
    ];
    const chain = await startTestChain(t, { handlers });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.deepEqual([log.length, a.length, b.length], [1, 1, 1]);
  });

  test('transforms run again on a retry, from the first handler', async (t) => {
    let runs = 0;
    const counting = transform('counting', (change) => (runs++, change));
    const chain = await startTestChain(t, {
      handlers: [counting, recording('sink', [], (n) => (n === 1 ? boom() : undefined))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.equal(runs, 2);
  });

  test('a TypeError is retried like any other error', async (t) => {
    const delivered: Change[] = [];
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered, (n) => (n === 1 ? new TypeError('x is not a function') : undefined))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.equal(delivered.length, 1);
  });

  test('a thrown value that is not an Error is retried too', async (t) => {
    const delivered: Change[] = [];
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered, (n) => (n === 1 ? 'text' : undefined))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.equal(delivered.length, 1);
  });

  test('a TerminalError makes a dead letter at once', async (t) => {
    const chain = await startTestChain(t, {
      handlers: [recording('sink', [], () => new TerminalError('no such channel'))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    const [dead] = await chain.store.deadLetters({ limit: 10 });
    assert.equal(dead?.error, 'no such channel');
    assert.equal(dead?.attempts, 1);
  });

  test('22: changes of one object stay in order across a retry; other objects go on meanwhile', async (t) => {
    const delivered: Change[] = [];
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered, (n) => (n === 1 ? boom() : undefined))],
    });
    await chain.accept('shop/web', 'shop/web', 'shop/api');
    await chain.runner.idle();
    assert.deepEqual(
      delivered.map(({ key }) => key),
      ['shop/api'],
    );
    await chain.advance(2_000);
    assert.deepEqual(
      delivered.map(({ key, action }) => `${action} ${key}`),
      ['added shop/api', 'added shop/web', 'updated shop/web'],
    );
  });

  test('attempts spent are kept over a restart', async (t) => {
    let attempts = 0;
    const chain = await startTestChain(t, {
      handlers: [sink('failing', () => (attempts++, Promise.reject(boom())))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.equal(attempts, 2);
    await chain.restart();
    for (let n = 0; n < 10; n++) await chain.advance(10_000);
    assert.equal(attempts, 4);
  });

  test('a dead letter replayed by another process is claimed within 5 s, and delivered once', async (t) => {
    const delivered: Change[] = [];
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered, (n) => (n === 1 ? new TerminalError('no') : undefined))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    const [dead] = await chain.store.deadLetters({ limit: 1 });
    await chain.store.replay([dead?.id ?? 0]);
    await chain.advance(5_000);
    assert.equal(delivered[0]?.flags.replayed, true);
    await chain.advance(60_000);
    assert.equal(delivered.length, 1);
  });

  test('a completion that nothing waits for is written with the next claim, or soon after', async (t) => {
    const asked: string[] = [];
    const delivered: Change[] = [];
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered)],
      wrapStore: (store) =>
        new Proxy(store, {
          get: (target, name) => {
            if (name === 'complete' || name === 'claim') asked.push(name);
            return (Reflect.get(target, name) as () => unknown).bind(target);
          },
        }),
    });
    await chain.runner.idle();
    await chain.accept('shop/web');
    while (delivered.length < 1) await chain.clock.advance(0);
    await chain.clock.advance(0);
    assert.ok(!asked.includes('complete'));
    asked.length = 0;
    chain.runner.kick();
    assert.deepEqual(asked, ['complete', 'claim'], 'in one turn, and so in one transaction');
    await chain.runner.idle();
    await chain.accept('shop/web');
    while (delivered.length < 2) await chain.clock.advance(0);
    await chain.clock.advance(10);
    assert.equal(asked.at(-1), 'complete');
    await chain.runner.idle();
  });

  test('completions wait for each other until they hold half of the slots', async (t) => {
    const all = Promise.withResolvers<void>();
    let delivering = 0;
    const gathering = sink('sink', async () => {
      if (++delivering === 4) all.resolve();
      await all.promise;
    });
    const chain = await startTestChain(t, { handlers: [gathering], concurrency: 8 });
    await chain.accept('shop/a', 'shop/b', 'shop/c', 'shop/d');
    // The clock is stopped, so no wait ends by itself.
    while ((await chain.store.balances())[0]?.completed !== 4) await new Promise(setImmediate);
    await chain.runner.idle();
  });

  test('a refused checkpoint is retried before the change is parked, and the sink is not run again', async (t) => {
    const delivered: Change[] = [];
    let refusals = 1;
    let failures = 1;
    const chain = await startTestChain(t, {
      handlers: [
        recording('a', delivered),
        sink('b', () => (failures-- > 0 ? Promise.reject(boom('not yet')) : Promise.resolve())),
      ],
      wrapStore: (store) =>
        new Proxy(store, {
          get: (target, name) => {
            if (name === 'checkpoint' && refusals-- > 0) return () => Promise.reject(boom('disk full'));
            return (Reflect.get(target, name) as () => unknown).bind(target);
          },
        }),
    });
    await chain.accept('shop/web');
    const idle = chain.runner.idle();
    await chain.clock.waitForSleepers(2);
    await chain.clock.advance(1_000);
    await idle;
    await chain.advance(2_000);
    assert.equal(delivered.length, 1);
    assert.equal((await chain.store.balances())[0]?.completed, 1);
  });

  test('a refused completion is retried, and the sink is not run again', async (t) => {
    const delivered: Change[] = [];
    let refusals = 2;
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered)],
      wrapStore: (store) =>
        new Proxy(store, {
          get: (target, name) => {
            if (name === 'complete' && refusals-- > 0) return () => Promise.reject(boom('disk full'));
            return (Reflect.get(target, name) as () => unknown).bind(target);
          },
        }),
    });
    await chain.accept('shop/web');
    const idle = chain.runner.idle();
    await chain.clock.waitForSleepers(2);
    await chain.clock.advance(1_000);
    await chain.clock.waitForSleepers(2);
    await chain.advance(2_000);
    await idle;
    assert.equal(delivered.length, 1);
    assert.equal((await chain.store.balances())[0]?.completed, 1);
    assert.deepEqual(
      chain.logged.filter(({ message }) => /\bstore\b/.test(message)).map(({ level, message }) => [level, message]),
      [
        ['error', 'Cannot write to the store, the chain waits'],
        ['debug', 'Cannot write to the store, the chain waits'],
        ['info', 'The store can be written to again, the chain continues'],
      ],
    );
  });
});

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
        new Proxy(store, {
          get: (target, name) => {
            if (name !== 'claim') return (Reflect.get(target, name) as () => unknown).bind(target);
            return async (request: ClaimRequest) => {
              const claimed = await target.claim({ ...request, limit: 2 });
              taken += claimed.deliveries.length;
              return { ...claimed, deliveries: claimed.deliveries.map((one) => ({ ...one, bytes: 2 * 1024 ** 2 })) };
            };
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
    assert.deepEqual(await stopping, { unfinished: 0 });
    assert.equal((await chain.store.balances())[0]?.completed, 1);
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
    assert.deepEqual(await chain.restart(5_000), { unfinished: 1 });
    await chain.runner.idle();
    assert.deepEqual(attempts, [1, 1]);
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
        return new Proxy(store, {
          get: (target, name) => (name === 'claim' ? claim : (Reflect.get(target, name) as () => unknown).bind(target)),
        });
      },
    });
    await chain.accept('shop/web');
    await claimed.promise;
    const restarting = chain.restart();
    mayAnswer.resolve();
    assert.deepEqual(await restarting, { unfinished: 1 });
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

  test('handlers start in order and stop in reverse; a failing start stops what was started', async (t) => {
    const life: string[] = [];
    const living = (name: string, start: () => Promise<void> = () => Promise.resolve()): HandlerDefinition =>
      defineTransform({
        ...transform(name, (change) => change),
        create: () => ({
          handle: (change) => change,
          start: () => (life.push(`start ${name}`), start()),
          stop: () => (life.push(`stop ${name}`), Promise.resolve()),
        }),
      });
    const chain = await startTestChain(t, { handlers: [living('a'), living('b')] });
    await chain.runner.stop(0);
    assert.deepEqual(life, ['start a', 'start b', 'stop b', 'stop a']);
    life.length = 0;
    const failing = living('b', () => Promise.reject(boom('no licence')));
    await assert.rejects(
      startTestChain(t, { handlers: [living('a'), failing, living('c')] }),
      /default\/b.*no licence/,
    );
    assert.deepEqual(life, ['start a', 'start b', 'stop b', 'stop a']);
  });
});

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
  async function startBehind(t: TestContext, n: number, options: Omit<TestChainOptions, 'wrapStore'>) {
    const calls = { complete: 0, completeAll: 0 };
    const wrapStore = (store: Store): Store =>
      Object.assign(store, {
        complete: counted(calls, 'complete', store.complete.bind(store)),
        completeAll: counted(calls, 'completeAll', store.completeAll.bind(store)),
      });
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
      /default\/counting keeps state by group.*move default\/other to a chain of its own/,
    );
  });
});
