import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WaitError } from '../errors.ts';
import { halt } from './handler.ts';
import { boom, countOf, grouping, sink, startTestChain, transform, type TestChain } from '../testing/test-chain.ts';

const HOUR_MS = 3_600_000;

/** How long the change that has waited longest has been due, in milliseconds. */
async function lateness({ store, clock }: TestChain): Promise<number | undefined> {
  const dueSince = (await store.balances())[0]?.dueSince;
  return dueSince === undefined ? undefined : clock.now() - dueSince;
}

/** Seconds, of all that have ended. */
async function latencySum({ metrics }: TestChain): Promise<number | undefined> {
  const { values } = await metrics.latency.get();
  return values.find(({ metricName }) => metricName?.endsWith('_sum') === true)?.value;
}

describe('a handler that holds a change', () => {
  test('uses up no attempt and no slot, gives its reason, and passes the change when its time has come', async (t) => {
    const told: string[] = [];
    const opensAt = Date.UTC(2026, 0, 1) + HOUR_MS;
    const chain = await startTestChain(t, {
      concurrency: 1,
      retry: { retries: 0 },
      handlers: [
        transform('quiet', (change) => {
          if (change.name === 'held' && chain.clock.now() < opensAt) throw new WaitError(opensAt, 'quiet until one');
          return change;
        }),
        sink('slack', ({ name }) => Promise.resolve(void told.push(name))),
      ],
    });
    await chain.accept('shop/held', 'shop/other');
    await chain.runner.idle();
    assert.deepEqual(told, ['other']);
    const [delivery] = (await chain.store.trip(1))?.deliveries ?? [];
    assert.deepEqual([delivery?.state, delivery?.attempts, delivery?.reason], ['parked', 0, 'quiet until one']);
    assert.equal(await countOf(chain.metrics, 'verdicts_total', { handler: 'default/quiet', verdict: 'wait' }), 1);
    assert.equal(chain.logged.find(({ message }) => message === 'Delivery waits')?.['error'], 'quiet until one');
    await chain.advance(HOUR_MS);
    assert.deepEqual(told, ['other', 'held']);
  });

  test('makes it late only from the end of the hold, if it says that it holds it on purpose', async (t) => {
    const opensAt = Date.UTC(2026, 0, 1) + HOUR_MS;
    let isDown = true;
    const chain = await startTestChain(t, {
      handlers: [
        transform('quiet', (change) => {
          if (chain.clock.now() < opensAt) throw new WaitError(opensAt, 'quiet', { isHold: true });
          return change;
        }),
        sink('slack', () => (isDown ? Promise.reject(new WaitError(chain.clock.now() + 60_000)) : Promise.resolve())),
      ],
    });
    await chain.accept('shop/held');
    await chain.runner.idle();
    assert.equal(await lateness(chain), undefined);
    await chain.advance(HOUR_MS);
    assert.equal(await lateness(chain), 0);
    await chain.advance(60_000);
    assert.equal(await lateness(chain), 60_000);
    isDown = false;
    await chain.advance(60_000);
    assert.equal(await lateness(chain), undefined);
    assert.equal(await latencySum(chain), 120);
  });
});

test('a hold and a replay count from their own time, also if the clock has been set since the start', async (t) => {
  for (const setByMs of [24 * HOUR_MS, -24 * HOUR_MS]) {
    let isBroken = true;
    const chain = await startTestChain(t, {
      retry: { retries: 0 },
      digest: { windowMs: HOUR_MS, over: 0 },
      handlers: [
        sink('slack', () => Promise.resolve(), {
          deliverMany: () => Promise.reject(isBroken ? boom() : new WaitError(chain.clock.steady() + 60_000)),
        }),
      ],
    });
    chain.clock.set(setByMs);
    await chain.accept('shop/a', 'shop/b');
    await chain.runner.idle();
    assert.equal(await lateness(chain), undefined);
    await chain.advance(HOUR_MS);
    isBroken = false;
    const letters = await chain.store.deadLetters({ limit: 2 });
    await chain.store.replay(letters.map(({ id }) => id));
    assert.equal(await lateness(chain), 0);
    await chain.runner.idle();
    await chain.advance(2_000 + 60_000);
    assert.equal(await lateness(chain), 60_000, 'from the end of the short hold that shows how many come');
  }
});

describe('a digest', () => {
  test('makes its changes late only from its end on', async (t) => {
    const told: number[] = [];
    let isDown = true;
    const chain = await startTestChain(t, {
      digest: { windowMs: HOUR_MS, over: 0 },
      handlers: [
        sink('slack', () => Promise.resolve(), {
          fits: (changes) => changes.length,
          deliverMany(changes) {
            if (isDown) return Promise.reject(new WaitError(chain.clock.now() + 60_000));
            return Promise.resolve(void told.push(changes.length));
          },
        }),
      ],
    });
    await chain.accept('shop/a', 'shop/b');
    await chain.runner.idle();
    await chain.advance(HOUR_MS - 1);
    assert.equal(await lateness(chain), undefined);
    await chain.advance(60_001);
    assert.equal(await lateness(chain), 60_000);
    isDown = false;
    await chain.advance(60_000);
    assert.deepEqual(told, [2]);
    assert.equal(await lateness(chain), undefined);
  });

  test('makes nothing late that waited behind it in its group, however many of the group halt first', async (t) => {
    const chain = await startTestChain(t, {
      digest: { windowMs: HOUR_MS, over: 0 },
      handlers: [
        grouping('group', {
          group: () => 'shop',
          handle: (change) => ({ verdict: change.key === 'shop/b' ? halt('told') : change, state: null }),
        }),
        transform('busy', (change) => {
          if (change.key === 'shop/c') throw new WaitError(chain.clock.now() + 60_000);
          return change;
        }),
        sink('slack', () => Promise.resolve(), { deliverMany: () => Promise.resolve() }),
      ],
    });
    await chain.accept('shop/a', 'shop/b', 'shop/c');
    await chain.runner.idle();
    await chain.advance(HOUR_MS);
    const [balance] = await chain.store.balances();
    assert.deepEqual([balance?.completed, balance?.halted, balance?.pending], [1, 1, 1]);
    assert.equal(await lateness(chain), 0);
  });
});
