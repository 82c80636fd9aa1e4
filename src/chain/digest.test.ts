import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertAllDone, channel, named, namesOf, sizes } from '../testing/test-channel.ts';
import { sink, startTestChain } from '../testing/test-chain.ts';
import type { HandlerDefinition } from './handler.ts';

describe('digest', () => {
  test('delivers up to `over` changes of a window one by one, and the rest when it ends', async (t) => {
    const { told, definition } = channel();
    const chain = await startTestChain(t, { handlers: [definition], digest: { windowMs: 30_000, over: 2 } });
    await chain.accept(...named(5));
    await chain.runner.idle();
    assert.deepEqual(sizes(told), [1, 1]);
    await chain.accept(...named(2, 'late'));
    await chain.runner.idle();
    await chain.advance(30_000);
    assert.deepEqual(sizes(told), [1, 1, 5]);
    await chain.accept('shop/next');
    await chain.runner.idle();
    assert.deepEqual(told.at(-1)?.names, ['next']);
    await assertAllDone(chain, 8);
  });

  test('holds no slot while it waits, and keeps the order of each object', async (t) => {
    const { told, definition } = channel();
    const others: string[] = [];
    const chain = await startTestChain(t, {
      concurrency: 1,
      handlers: [sink('log', ({ name, action }) => Promise.resolve(void others.push(`${action} ${name}`))), definition],
      digest: { windowMs: 30_000, over: 0 },
    });
    await chain.accept('shop/a', 'shop/b', 'shop/a');
    await chain.runner.idle();
    assert.deepEqual(others, ['added a', 'added b']);
    await chain.advance(30_000);
    await chain.advance(30_000);
    assert.deepEqual(others, ['added a', 'added b', 'updated a']);
    assert.deepEqual(
      told.map(({ names }) => names.join()),
      ['a,b', 'a'],
    );
  });

  test('delivers repeated changes of an object right after the window, not a window later', async (t) => {
    const { told, definition } = channel();
    const chain = await startTestChain(t, { handlers: [definition], digest: { windowMs: 3_600_000, over: 0 } });
    await chain.accept('shop/a', 'shop/b');
    await chain.runner.idle();
    await chain.advance(60_000);
    await chain.accept('shop/a', 'shop/b', 'shop/a');
    await chain.advance(3_540_000);
    await chain.advance(2_000);
    await chain.advance(2_000);
    assert.deepEqual(
      told.map(({ names }) => names.join()),
      ['a,b', 'a,b', 'a'],
    );
    chain.clock.set(-3_600_000);
    await chain.accept('shop/a');
    await chain.runner.idle();
    await chain.advance(3_599_000);
    assert.equal(told.length, 3);
    await chain.advance(1_000);
    assert.equal(told.length, 4);
  });

  test('uses the window and `max` of the sink, unless the configuration sets a digest', async (t) => {
    for (const [digest, atOnce] of [
      [undefined, 3],
      [{ windowMs: 30_000, over: 0 }, 0],
    ] as const) {
      const { told, definition } = channel();
      const batching = { ...definition, batch: () => ({ windowMs: 30_000, over: 0, max: 3 }) } as HandlerDefinition;
      const chain = await startTestChain(t, { handlers: [batching], ...(digest === undefined ? {} : { digest }) });
      await chain.accept(...named(3));
      await chain.runner.idle();
      assert.equal(namesOf(told).length, atOnce);
      await chain.accept('shop/late');
      await chain.runner.idle();
      await chain.advance(30_000);
      assert.deepEqual(sizes(told), atOnce === 0 ? [4] : [3, 1]);
    }
  });

  test('delivers one by one if the sink cannot batch', async (t) => {
    const told: string[] = [];
    const plain = sink('plain', ({ name }) => Promise.resolve(void told.push(name)));
    const chain = await startTestChain(t, { handlers: [plain], digest: { windowMs: 30_000, over: 0 } });
    await chain.accept('shop/a', 'shop/b');
    await chain.runner.idle();
    assert.deepEqual(told, ['a', 'b']);
  });
});

describe('changes that happened while nothing was watching', () => {
  test('are one summary from `awayFrom` of them on, and delivered one by one below', async (t) => {
    const { told, definition } = channel();
    const chain = await startTestChain(t, { handlers: [definition], awayFrom: 3 });
    await chain.missed('shop/a', 'shop/b');
    await chain.accept('shop/now');
    await chain.runner.idle();
    assert.deepEqual(
      told.map(({ names }) => names.join()),
      ['now'],
    );
    await chain.advance(2_000);
    assert.deepEqual(
      told.map(({ names }) => names.join()),
      ['now', 'a', 'b'],
    );
    await chain.missed(...named(7));
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.deepEqual(sizes(told).slice(3), [7]);
    await assertAllDone(chain, 10);
  });
});
