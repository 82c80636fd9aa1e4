import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { countOf, sink, startTestChain, stateful, type TestChainOptions } from '../testing/test-chain.ts';
import type { HandlerDefinition } from './handler.ts';

/** Three versions of one object wait, for 25 s by default, behind another that occupies the only slot. */
async function overloaded(
  t: Parameters<typeof startTestChain>[0],
  {
    waitMs = 25_000,
    clockSetByMs = 0,
    ...options
  }: Partial<TestChainOptions> & { waitMs?: number; clockSetByMs?: number } = {},
) {
  const told: string[] = [];
  const stuck = Promise.withResolvers<void>();
  const slow = sink('slow', async ({ name, action, flags, before, after }) => {
    if (name === 'first') await stuck.promise;
    const versions = [before, after]
      .map((manifest) => (manifest?.['version'] as number | undefined) ?? '')
      .join(' -> ');
    told.push(`${action} ${name} ${versions}${flags.compacted === true ? ' compacted' : ''}`);
  });
  const handlers: readonly HandlerDefinition[] = [...(options.handlers ?? []), slow];
  const chain = await startTestChain(t, { concurrency: 1, coalesce: true, ...options, handlers });
  chain.clock.set(clockSetByMs);
  await chain.accept('shop/first');
  await chain.accept(...Array.from({ length: 64 }, (_, n) => `shop/other-${n}`), 'shop/web', 'shop/web', 'shop/web');
  await chain.clock.advance(waitMs);
  stuck.resolve();
  await chain.runner.idle();
  return { told: told.filter((line) => line.includes(' web ')), chain };
}

describe('coalesce', () => {
  test('merges changes that waited long into one, and shows it in metrics and log', async (t) => {
    const { told, chain } = await overloaded(t);
    assert.deepEqual(told, ['added web  -> 68 compacted']);
    assert.equal(await countOf(chain.metrics, 'ends_total', { end: 'superseded' }), 2);
    assert.equal(chain.logged.find(({ superseded }) => superseded !== undefined)?.['superseded'], 2);
    assert.equal((await chain.store.history({ key: 'shop/web', limit: 10 })).length, 3);
  });

  test('depends on how long changes have waited, not on the wall clock', async (t) => {
    const HOUR_MS = 3_600_000;
    const { told: soon } = await overloaded(t, { waitMs: 1_000, clockSetByMs: -HOUR_MS });
    assert.deepEqual(soon, ['added web  -> 66', 'updated web 66 -> 67', 'updated web 67 -> 68']);
    const { told: late } = await overloaded(t, { clockSetByMs: HOUR_MS });
    assert.deepEqual(late, ['added web  -> 68 compacted']);
  });

  test('does not merge a delivery that a reload cut off, which may have arrived', async (t) => {
    const told: string[] = [];
    const slow = sink('slow', async ({ action, resourceVersion }) => {
      told.push(`${action} ${resourceVersion}`);
      if (told.length === 1) await new Promise(() => undefined);
    });
    const chain = await startTestChain(t, { handlers: [slow], coalesce: true });
    await chain.accept('shop/web');
    await chain.clock.waitForSleepers(2);
    await chain.accept('shop/web');
    await chain.delete('shop/web');
    await chain.clock.advance(15_000);
    await chain.restart(5_000);
    await chain.runner.idle();
    assert.deepEqual(told, ['added 1', 'added 1', 'deleted 2']);
  });

  test('= false delivers each change', async (t) => {
    const { told } = await overloaded(t, { coalesce: false });
    assert.deepEqual(told, ['added web  -> 66', 'updated web 66 -> 67', 'updated web 67 -> 68']);
  });

  test('does not apply to a chain with a stateful handler, even in a branch', async (t) => {
    const seen: string[] = [];
    const counting = stateful<number>('count', (change) => {
      if (change.name === 'web') seen.push(change.action);
      return { verdict: change, state: 1 };
    });
    await overloaded(t, { branches: [{ name: 'a', handlers: [counting] }] });
    assert.deepEqual(seen, ['added', 'updated', 'updated']);
  });
});
