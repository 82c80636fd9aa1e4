import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WaitError } from '../errors.ts';
import { countOf, sink, startTestChain, transform } from '../testing/test-chain.ts';

describe('a handler that holds a change', () => {
  test('uses up no attempt and no slot, gives its reason, and passes the change when its time has come', async (t) => {
    const told: string[] = [];
    const opensAt = Date.UTC(2026, 0, 1) + 3_600_000;
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
    await chain.advance(3_600_000);
    assert.deepEqual(told, ['other', 'held']);
  });
});
