import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Store } from '../store/store.ts';
import { grouping, sink, startTestChain, type TestChain, type TestChainOptions } from '../testing/test-chain.ts';
import { halt } from './handler.ts';

/** A chain whose store refuses these calls until told otherwise. */
async function startRefused(t: TestContext, refused: readonly (keyof Store)[], options: TestChainOptions) {
  let isFull = true;
  const wrapStore = (store: Store): Store =>
    new Proxy(store, {
      get: (target, name: keyof Store) => {
        if (isFull && refused.includes(name)) return () => Promise.reject(new Error('disk full'));
        return (Reflect.get(target, name) as () => unknown).bind(target);
      },
    });
  const chain = await startTestChain(t, { ...options, wrapStore });
  const goOn = () => {
    isFull = false;
  };
  return { chain, goOn };
}

/** Resolves when the store has refused and the chain is waiting for it. */
async function waitForRefusal({ clock, logged }: TestChain): Promise<void> {
  while (!logged.some(({ message }) => message.startsWith('Cannot write to the store'))) {
    await clock.waitForSleepers(1);
    await clock.advance(100);
  }
}

async function sumsOf({ store }: TestChain): Promise<object> {
  const [{ completed, halted, pending } = {}] = await store.balances();
  return { completed, halted, pending };
}

describe('a write that the store refuses until a reload is redone afterwards', () => {
  test('for the end of a change', async (t) => {
    const told: string[] = [];
    const handlers = [sink('sink', async ({ action }) => void told.push(action))];
    const { chain, goOn } = await startRefused(t, ['complete'], { handlers });
    await chain.accept('shop/web', 'shop/web');
    await waitForRefusal(chain);
    await chain.restart(5_000);
    goOn();
    await chain.runner.idle();
    assert.deepEqual(told.slice(-2), ['added', 'updated']);
    assert.deepEqual(await sumsOf(chain), { completed: 2, halted: 0, pending: 0 });
  });

  test('for the ends of a group', async (t) => {
    const group = grouping<number>('counting', {
      group: () => 'g',
      handle: (_, { state = 0 }) => ({ verdict: halt(String(state)), state: state + 1 }),
    });
    const { chain, goOn } = await startRefused(t, ['completeAll'], { handlers: [group] });
    await chain.runner.stop(0);
    await chain.accept(...Array.from({ length: 40 }, (_, n) => `shop/web-${n}`));
    await chain.restart();
    await waitForRefusal(chain);
    await chain.restart(5_000);
    goOn();
    await chain.runner.idle();
    assert.deepEqual(await sumsOf(chain), { completed: 0, halted: 40, pending: 0 });
    const [last] = (await chain.store.trip(40))?.deliveries ?? [];
    assert.equal(last?.reason, '39', 'each is counted once, in order');
  });

  test('for the members of a batch', async (t) => {
    const told: number[] = [];
    const many = sink('many', async () => {}, { deliverMany: async ({ length }) => void told.push(length) });
    const { chain, goOn } = await startRefused(t, ['fixBatch'], { handlers: [many], awayFrom: 2 });
    await chain.missed('shop/a', 'shop/b', 'shop/c');
    // All three must be waiting before time moves: one that began later would start a wait of its own.
    await chain.runner.idle();
    await waitForRefusal(chain);
    await chain.restart(5_000);
    goOn();
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.deepEqual(told, [3]);
    assert.deepEqual(await sumsOf(chain), { completed: 3, halted: 0, pending: 0 });
  });
});
