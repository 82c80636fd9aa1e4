import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../change.ts';
import { WaitError } from '../errors.ts';
import { sink, startTestChain, type TestChain } from '../testing/test-chain.ts';
import type { HandlerDefinition } from './handler.ts';

interface Channel {
  /** How many changes each message held. */
  readonly sizes: number[];
  readonly definition: HandlerDefinition;
}

/** A sink that puts any number of changes into one message. `before` may make it wait. */
function channel(name: string, before: () => void = () => undefined): Channel {
  const sizes: number[] = [];
  const message = async (changes: readonly Change[]): Promise<void> => {
    before();
    sizes.push(changes.length);
  };
  return { sizes, definition: sink(name, (change) => message([change]), { deliverMany: message }) };
}

const named = (count: number): string[] => Array.from({ length: count }, (_, n) => `shop/o${n}`);

async function pass(chain: TestChain, seconds: number): Promise<void> {
  await chain.runner.idle();
  for (let n = 0; n < seconds; n += 5) await chain.advance(5_000);
}

describe('after a batch', () => {
  test('a later sink gathers the changes by its own digest', async (t) => {
    const [slack, email] = [channel('slack'), channel('email')];
    const chain = await startTestChain(t, {
      handlers: [slack.definition, email.definition],
      digest: { windowMs: 30_000, over: 0 },
    });
    await chain.accept(...named(20));
    await pass(chain, 60);
    assert.deepEqual([slack.sizes, email.sizes], [[20], [20]]);
    assert.equal((await chain.store.balances())[0]?.completed, 20);
  });

  test('changes from while nothing was watching are one message of each sink', async (t) => {
    const [slack, email] = [channel('slack'), channel('email')];
    const chain = await startTestChain(t, { handlers: [slack.definition, email.definition], awayFrom: 20 });
    await chain.missed(...named(20));
    await pass(chain, 10);
    assert.deepEqual([slack.sizes, email.sizes], [[20], [20]]);
  });

  test('a change that waited alone for the rate of one sink is still part of the digest of the next', async (t) => {
    let freeAt = 0;
    const slack = channel('slack', () => {
      const now = chain.clock.steady();
      if (now < freeAt) throw new WaitError(freeAt);
      freeAt = now + 1_000;
    });
    const email = channel('email');
    const batch = () => ({ windowMs: 60_000, over: 0, max: 100 });
    const handlers = [slack.definition, { ...email.definition, batch } as HandlerDefinition];
    const chain: TestChain = await startTestChain(t, { handlers });
    await chain.accept('shop/a', 'shop/b');
    await pass(chain, 60);
    assert.deepEqual([slack.sizes, email.sizes], [[1, 1], [2]]);
  });

  test('no more changes than `concurrency` are in the later handlers at once', async (t) => {
    let [running, most] = [0, 0];
    const webhook = sink('webhook', async () => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
    });
    const slack = channel('slack');
    const chain = await startTestChain(t, {
      handlers: [slack.definition, webhook],
      digest: { windowMs: 30_000, over: 0 },
      concurrency: 2,
    });
    await chain.accept(...named(20));
    await pass(chain, 30);
    assert.deepEqual([slack.sizes, most], [[20], 2]);
    assert.equal((await chain.store.balances())[0]?.completed, 20);
  });
});
