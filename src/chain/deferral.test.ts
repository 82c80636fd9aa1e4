import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RetryAfterError, WaitError } from '../errors.ts';
import { startReceiver } from '../testing/receiver.ts';
import { sink, startTestChain, type TestChain } from '../testing/test-chain.ts';
import { defineSink, type HandlerDefinition } from './handler.ts';

/** A sink that throws what `failure` returns, and records when it was called. */
function failing(times: number[], chain: () => TestChain, failure: () => Error | undefined): HandlerDefinition {
  return sink('sink', () => {
    times.push(chain().clock.monotonic());
    const thrown = failure();
    return thrown === undefined ? Promise.resolve() : Promise.reject(thrown);
  });
}

/** Advances in steps shorter than any request deadline, so that a real server can answer before it. */
async function passSeconds(chain: TestChain, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await chain.advance(1_000);
}

describe('chain runner: deferral', () => {
  test('18: a change that cannot be sent waits ever longer, up to a minute, and uses up no attempt', async (t) => {
    const times: number[] = [];
    let down = true;
    const chain: TestChain = await startTestChain(t, {
      handlers: [
        failing(
          times,
          () => chain,
          () => (down ? new RetryAfterError('refused') : undefined),
        ),
      ],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await passSeconds(chain, 600);
    const waits = times.slice(1).map((time, n) => time - (times[n] ?? 0));
    assert.ok(waits.length >= 10 && waits.length <= 25, `${waits.length} waits`);
    assert.ok((waits[0] ?? 0) <= 2_000);
    assert.ok(
      waits.slice(-5).every((wait) => wait >= 45_000 && wait <= 76_000),
      waits.join(),
    );
    down = false;
    await passSeconds(chain, 80);
    assert.equal((await chain.store.balances())[0]?.completed, 1);
    assert.equal(chain.logged.filter(({ level }) => level === 'warn').length, 1, 'one warning, the rest at debug');
  });

  test('a deferral by an open breaker is logged at debug only', async (t) => {
    const rest = new RetryAfterError('deliveries to it are paused', { retryAfterMs: 30_000, openForMs: 5 });
    const chain = await startTestChain(t, { handlers: [sink('sink', () => Promise.reject(rest))] });
    await chain.accept('shop/a', 'shop/b', 'shop/c');
    await chain.runner.idle();
    const deferred = chain.logged.filter(({ message }) => message === 'Delivery deferred');
    assert.deepEqual(
      deferred.map(({ level }) => level),
      ['debug', 'debug', 'debug'],
    );
  });

  test('a deferral counts as an attempt after 15 minutes, and ends as a dead letter', async (t) => {
    const times: number[] = [];
    const chain: TestChain = await startTestChain(t, {
      handlers: [
        failing(
          times,
          () => chain,
          () => new RetryAfterError('refused'),
        ),
      ],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await passSeconds(chain, 890);
    assert.equal((await chain.store.deadLetters({ limit: 1 })).length, 0);
    await passSeconds(chain, 150);
    const [dead] = await chain.store.deadLetters({ limit: 1 });
    assert.equal(dead?.attempts, 4);
  });

  test('a wait for our own rate never counts as an attempt, however long it takes', async (t) => {
    const times: number[] = [];
    const chain: TestChain = await startTestChain(t, {
      handlers: [
        failing(
          times,
          () => chain,
          () => (times.length < 5 ? new WaitError(chain.clock.now() + 3_600_000) : undefined),
        ),
      ],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    for (let n = 0; n < 4; n++) await chain.advance(3_600_000);
    assert.deepEqual(
      times,
      [0, 1, 2, 3, 4].map((hour) => hour * 3_600_000),
    );
    assert.equal((await chain.store.balances())[0]?.completed, 1);
  });
});

/** A sink that posts to `url` through a receiver. */
function posting(url: string, perSecond = 0): HandlerDefinition {
  return defineSink({
    ...sink('post', () => Promise.resolve()),
    create: (_, { receivers }) => {
      const receiver = receivers.receiver({ name: 'post', url: new URL(url), perSecond });
      return {
        async deliver(change, { idempotencyKey, signal }) {
          await receiver.send({ body: change.key, idempotencyKey, signal });
        },
      };
    },
  });
}

describe('chain runner with a real receiver', () => {
  test('18: a 429 with Retry-After is waited out and uses up no attempt', async (t) => {
    const receiver = await startReceiver((_, n) => (n <= 6 ? { status: 429, headers: { 'retry-after': '30' } } : {}));
    t.after(() => receiver.close());
    const chain = await startTestChain(t, { handlers: [posting(receiver.url)] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    assert.equal(receiver.requests.length, 1);
    await chain.advance(29_000);
    assert.equal(receiver.requests.length, 1);
    for (let second = 0; second < 600 && receiver.requests.length < 7; second++) await chain.advance(1_000);
    assert.equal(receiver.requests.length, 7);
    assert.equal((await chain.store.balances())[0]?.completed, 1);
    const keys = new Set(receiver.requests.map(({ headers }) => headers['idempotency-key']));
    assert.deepEqual([...keys], ['cluster-1|shop/web|added:1|default/post']);
  });

  test('17: a 500 and then a 200 are followed by no third request', async (t) => {
    const receiver = await startReceiver((_, n) => (n === 1 ? { status: 500 } : {}));
    t.after(() => receiver.close());
    const chain = await startTestChain(t, { handlers: [posting(receiver.url)] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await passSeconds(chain, 62);
    assert.equal(receiver.requests.length, 2);
    assert.equal((await chain.store.balances())[0]?.completed, 1);
  });

  test('four 500s leave a dead letter, and its replay is delivered under the same key', async (t) => {
    const receiver = await startReceiver((_, n) => (n <= 4 ? { status: 500, body: 'internal' } : {}));
    t.after(() => receiver.close());
    const chain = await startTestChain(t, { handlers: [posting(`${receiver.url}/services/T000/SECRETPATH`)] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await passSeconds(chain, 70);
    const [dead] = await chain.store.deadLetters({ limit: 1 });
    assert.match(dead?.error ?? '', /^post \(127\.0\.0\.1:\d+\) answered 500: internal$/);
    await chain.store.replay([dead?.id ?? 0]);
    await chain.advance(5_000);
    assert.equal(receiver.requests.length, 5);
    assert.equal(new Set(receiver.requests.map(({ headers }) => headers['idempotency-key'])).size, 1);
    assert.doesNotMatch(JSON.stringify(chain.logged), /SECRETPATH/);
  });

  test('28: a receiver that never answers holds up only its own change, for 10 s', async (t) => {
    const receiver = await startReceiver((request) => ({ hang: request.body === 'shop/web' }));
    t.after(() => receiver.close());
    const chain = await startTestChain(t, { handlers: [posting(receiver.url)] });
    await chain.accept('shop/web', 'shop/api');
    await receiver.waitFor(2);
    while ((await chain.store.balances())[0]?.completed !== 1) await chain.clock.advance(1);
    await chain.advance(10_000);
    const entry = chain.logged.find(({ level }) => level === 'warn');
    assert.match(String(entry?.['error']), /did not answer: no complete answer within 10000 ms/);
  });

  test('changes that wait for the rate hold no slot: 20 objects are sent at one per second', async (t) => {
    const receiver = await startReceiver();
    t.after(() => receiver.close());
    const chain = await startTestChain(t, { handlers: [posting(receiver.url, 1)], concurrency: 2 });
    const keys = Array.from({ length: 20 }, (_, n) => `shop/web-${n}`);
    await chain.accept(...keys);
    await chain.runner.idle();
    assert.equal(receiver.requests.length, 1);
    for (let second = 1; second <= 20; second++) {
      assert.equal(receiver.requests.length, second);
      await chain.advance(1_000);
    }
    assert.deepEqual(
      receiver.requests.map(({ body }) => body),
      keys,
      'in the order of asking',
    );
  });
});
