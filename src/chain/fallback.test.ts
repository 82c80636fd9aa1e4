import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RateLimit } from '../delivery/rate-limit.ts';
import { RetryAfterError, WaitError } from '../errors.ts';
import { countOf, sink, startTestChain, type TestChain } from '../testing/test-chain.ts';
import type { HandlerDefinition } from './handler.ts';

/** A sink whose receiver's breaker has been open since its first call. */
function broken(clock: () => number): HandlerDefinition {
  let since: number | undefined;
  const fail = (): Promise<void> => {
    since ??= clock();
    return Promise.reject(new RetryAfterError('a rest', { retryAfterMs: 600_000, openForMs: clock() - since }));
  };
  return sink('slack', fail, { deliverMany: fail });
}

describe('fallback', () => {
  test('delivers in place of a sink whose receiver has failed for long enough, and completes the change', async (t) => {
    const told: string[] = [];
    const chain = await startTestChain(t, {
      handlers: [
        broken(() => chain.clock.monotonic()),
        sink('mail', ({ name }, { insteadOf }) => Promise.resolve(void told.push(`mail ${name} for ${insteadOf}`))),
        sink('log', ({ name }) => Promise.resolve(void told.push(`log ${name}`))),
      ],
      fallbacks: { slack: { to: 'mail', afterMs: 120_000 } },
    });
    await chain.accept('shop/a');
    await chain.runner.idle();
    await chain.advance(119_000);
    assert.deepEqual(told, []);
    await chain.advance(1_000);
    assert.deepEqual(told, ['mail a for default/slack', 'log a']);
    assert.equal(
      await countOf(chain.metrics, 'fallbacks_total', { handler: 'default/slack', fallback: 'default/mail' }),
      1,
    );
    assert.equal(chain.logged.find(({ message }) => message === 'Changes delivered by the fallback')?.level, 'warn');
    const [balance] = await chain.store.balances();
    assert.deepEqual([balance?.completed, balance?.dead], [1, 0]);
  });

  test('that fails too leaves the change deferred for the sink', async (t) => {
    const chain = await startTestChain(t, {
      handlers: [broken(() => chain.clock.monotonic()), sink('mail', () => Promise.reject(new Error('boom')))],
      fallbacks: { slack: { to: 'mail', afterMs: 0 } },
    });
    await chain.accept('shop/a');
    await chain.runner.idle();
    const trip = await chain.store.trip(1);
    assert.deepEqual(
      trip?.deliveries.map(({ state, attempts }) => [state, attempts]),
      [['parked', 0]],
    );
    assert.equal(trip?.deliveries[0]?.failures[0]?.handler, 'default/slack');
  });

  test('that is limited by its own rate is waited for, instead of the sink', async (t) => {
    const told: string[] = [];
    let freeAt: number | undefined;
    const paced = sink('mail', ({ name }) => {
      freeAt ??= chain.clock.now() + 3_000;
      if (chain.clock.now() < freeAt) return Promise.reject(new WaitError(freeAt));
      return Promise.resolve(void told.push(name));
    });
    const chain: TestChain = await startTestChain(t, {
      handlers: [broken(() => chain.clock.monotonic()), paced],
      fallbacks: { slack: { to: 'mail', afterMs: 0 } },
    });
    await chain.accept('shop/a');
    await chain.runner.idle();
    await chain.advance(3_000);
    assert.deepEqual(told, ['a']);
  });

  test('does not delay a sink that asks to be retried sooner', async (t) => {
    const askedAt: number[] = [];
    const rest = () => {
      askedAt.push(chain.clock.monotonic());
      return Promise.reject(new RetryAfterError('a rest', { retryAfterMs: 5_000, openForMs: 0 }));
    };
    const chain: TestChain = await startTestChain(t, {
      handlers: [sink('slack', rest), sink('mail', () => Promise.resolve())],
      fallbacks: { slack: { to: 'mail', afterMs: 120_000 } },
    });
    await chain.accept('shop/a');
    await chain.runner.idle();
    await chain.advance(5_000);
    assert.deepEqual(askedAt, [0, 5_000]);
  });

  test('that is cut off when the process stops counts as no attempt, and delivers after the next start', async (t) => {
    let calls = 0;
    const chain = await startTestChain(t, {
      handlers: [
        sink('slack', () => Promise.reject(new RetryAfterError('a rest', { retryAfterMs: 1_000, openForMs: 60_000 }))),
        sink('mail', () => (++calls === 1 ? new Promise(() => undefined) : Promise.resolve())),
      ],
      fallbacks: { slack: { to: 'mail', afterMs: 0 } },
      retry: { retries: 0, deferForMs: 0 },
    });
    await chain.accept('shop/a');
    await chain.clock.waitForSleepers(2);
    await chain.restart(0);
    await chain.runner.idle();
    const [balance] = await chain.store.balances();
    assert.deepEqual([calls, balance?.completed, balance?.dead], [2, 1, 0]);
  });

  test('also delivers the members of a batch', async (t) => {
    const told: string[] = [];
    const chain = await startTestChain(t, {
      handlers: [
        broken(() => chain.clock.monotonic()),
        sink('mail', ({ name }, { insteadOf }) => Promise.resolve(void told.push(`${name} for ${insteadOf}`))),
      ],
      fallbacks: { slack: { to: 'mail', afterMs: 0 } },
      digest: { windowMs: 10_000, over: 0 },
    });
    await chain.accept('shop/a', 'shop/b');
    await chain.runner.idle();
    await chain.advance(10_000);
    assert.deepEqual(told, ['a for default/slack', 'b for default/slack']);
  });

  test('with a rate of its own delivers each member of a batch once, at that rate', async (t) => {
    const told: string[] = [];
    const rate = Promise.withResolvers<RateLimit>();
    const chain = await startTestChain(t, {
      handlers: [
        broken(() => chain.clock.monotonic()),
        sink('mail', async ({ name }, { idempotencyKey }) => {
          (await rate.promise).take(idempotencyKey);
          told.push(name);
        }),
      ],
      fallbacks: { slack: { to: 'mail', afterMs: 0 } },
      digest: { windowMs: 10_000, over: 0 },
    });
    const limit = new RateLimit(chain.clock);
    limit.addLimit(1, 1);
    rate.resolve(limit);
    await chain.accept('shop/a', 'shop/b', 'shop/c');
    await chain.runner.idle();
    await chain.advance(10_000);
    assert.deepEqual(told, ['a']);
    for (let n = 0; n < 5; n++) await chain.advance(1_000);
    assert.deepEqual(told, ['a', 'b', 'c']);
  });

  test('that fits fewer changes splits a batch, and after a failure repeats none that it delivered', async (t) => {
    const told: string[][] = [];
    let failing = true;
    const chain = await startTestChain(t, {
      handlers: [
        broken(() => chain.clock.monotonic()),
        sink('mail', () => Promise.resolve(), {
          fits: () => 2,
          deliverMany: (changes) => {
            if (told.length === 1 && failing) return Promise.reject(new Error('boom'));
            told.push(changes.map(({ name }) => name));
            return Promise.resolve();
          },
        }),
      ],
      fallbacks: { slack: { to: 'mail', afterMs: 0 } },
      digest: { windowMs: 10_000, over: 0 },
    });
    await chain.accept('shop/a', 'shop/b', 'shop/c');
    await chain.runner.idle();
    await chain.advance(10_000);
    assert.deepEqual(told, [['a', 'b']]);
    failing = false;
    await chain.advance(600_000);
    assert.deepEqual(told, [['a', 'b'], ['c']]);
    assert.equal((await chain.store.balances())[0]?.completed, 3);
  });
});
