import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../change.ts';
import { RetryAfterError, TerminalError } from '../errors.ts';
import { countOf, sink, startTestChain, transform, type TestChain } from '../testing/test-chain.ts';
import { assertAllDone, channel, named, namesOf, sizes } from '../testing/test-channel.ts';
import { halt } from './handler.ts';

/** One message a second, by the chain's clock. */
function paced(chainOf: () => TestChain): () => number | undefined {
  let freeAt = 0;
  return () => {
    const now = chainOf().clock.now();
    if (now < freeAt) return freeAt;
    freeAt = now + 1_000;
    return undefined;
  };
}

describe('changes that arrive faster than the rate of the receiver', () => {
  test('are delivered together, each once, in as few messages as fit', async (t) => {
    const { told, definition } = channel({ fits: 40, wait: paced(() => chain) });
    const chain: TestChain = await startTestChain(t, { handlers: [definition] });
    await chain.accept(...named(100));
    await chain.runner.idle();
    for (let second = 0; second < 5; second++) await chain.advance(1_000);
    assert.deepEqual(sizes(told), [1, 40, 40, 19]);
    assert.equal(new Set(namesOf(told)).size, 100);
    await assertAllDone(chain, 100);
    assert.equal(await countOf(chain.metrics, 'digests_total', { handler: 'default/slack' }), 3);
    assert.equal(await countOf(chain.metrics, 'verdicts_total', { verdict: 'pass' }), 100);
  });

  test('are delivered one by one again when the backlog is gone', async (t) => {
    const { told, definition } = channel({ wait: paced(() => chain) });
    const chain: TestChain = await startTestChain(t, { handlers: [definition] });
    await chain.accept('shop/a', 'shop/b', 'shop/c');
    await chain.runner.idle();
    await chain.advance(1_000);
    await chain.advance(1_000);
    await chain.accept('shop/d');
    await chain.runner.idle();
    assert.deepEqual(
      told.map(({ names }) => names.join()),
      ['a', 'b,c', 'd'],
    );
  });

  test('are retried after 1 s if the time to wait for is long past', { timeout: 20_000 }, async (t) => {
    let asked = 0;
    const { definition } = channel({
      wait: () => {
        asked++;
        return 30_000;
      },
    });
    const chain = await startTestChain(t, { handlers: [definition] });
    await chain.accept('shop/a');
    await chain.runner.idle();
    await chain.advance(1_000);
    assert.equal(asked, 2);
  });

  test('go on to the next handler one by one, without those halted before the sink', async (t) => {
    const { told, definition } = channel({ wait: paced(() => chain) });
    const after: string[] = [];
    const chain: TestChain = await startTestChain(t, {
      handlers: [
        transform('match', (change) => (change.name === 'o2' ? halt('not this one') : change)),
        definition,
        transform('check', (change) => (change.name === 'o4' ? halt('seen') : change)),
        sink('log', ({ name }) => Promise.resolve(void after.push(name))),
      ],
    });
    await chain.accept(...named(5));
    await chain.runner.idle();
    await chain.advance(1_000);
    await chain.advance(60_000);
    assert.deepEqual(
      told.map(({ names }) => names.join()),
      ['o0', 'o1,o3,o4'],
    );
    assert.deepEqual(after.toSorted(), ['o0', 'o1', 'o3']);
    const [balance] = await chain.store.balances();
    assert.deepEqual([balance?.completed, balance?.halted, balance?.pending], [3, 2, 0]);
  });
});

describe('a batch', () => {
  const many = { windowMs: 10_000, over: 0 };

  test('that cannot hold all changes of its window is followed by another one', async (t) => {
    const { told, definition } = channel();
    const chain = await startTestChain(t, { handlers: [definition], digest: { windowMs: 10_000, over: 1 } });
    await chain.accept(...named(1_001));
    await chain.runner.idle();
    for (let n = 0; n < 4; n++) {
      await chain.accept(`shop/late${n}`);
      await chain.advance(1_000);
    }
    await chain.advance(10_000);
    assert.deepEqual(sizes(told), [1, 1_000, 4]);
    await assertAllDone(chain, 1_005);
  });

  test(
    'holds one change if the sink does not say how many fit, such as in an async function',
    { timeout: 20_000 },
    async (t) => {
      for (const answer of [Promise.resolve(2), NaN, '2'] as unknown as number[]) {
        const told: number[] = [];
        const deliverMany = (changes: readonly Change[]) => Promise.resolve(void told.push(changes.length));
        const definition = sink('slack', (change) => deliverMany([change]), { deliverMany, fits: () => answer });
        const chain = await startTestChain(t, { handlers: [definition], awayFrom: 2 });
        await chain.missed('shop/a', 'shop/b', 'shop/c');
        for (let n = 0; n < 3; n++) await chain.advance(10_000);
        assert.deepEqual(told, [1, 1, 1]);
        await assertAllDone(chain, 3);
        assert.match(String(chain.logged.find(({ level }) => level === 'error')?.['error']), /fits\(\) returned/);
      }
    },
  );

  test('that fails is retried whole, under the same key, without changes that came meanwhile', async (t) => {
    const { told, failures, definition } = channel();
    const chain = await startTestChain(t, { handlers: [definition], digest: many });
    failures.push(new Error('boom'));
    await chain.accept('shop/a', 'shop/b');
    await chain.runner.idle();
    await chain.advance(10_000);
    await chain.accept('shop/c');
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.deepEqual(
      told.map(({ names }) => names.join()),
      ['a,b', 'a,b'],
    );
    assert.equal(told[0]?.key, told[1]?.key);
    assert.match(told[0]?.key ?? '', /^cluster-1\|batch:[0-9a-f]{32}\|default\/slack$/);
    await chain.advance(10_000);
    assert.deepEqual(told.at(-1)?.names, ['c']);
    await assertAllDone(chain, 3);
  });

  test('keeps its members and key over a restart, and a deferral uses up no attempt', async (t) => {
    const { told, failures, definition } = channel();
    const chain = await startTestChain(t, { handlers: [definition], digest: many, retry: { retries: 1 } });
    failures.push(new RetryAfterError('later', { retryAfterMs: 5_000, openForMs: 0 }), new Error('boom'));
    await chain.accept('shop/a', 'shop/b');
    await chain.runner.idle();
    await chain.advance(10_000);
    await chain.restart();
    await chain.accept('shop/c');
    await chain.runner.idle();
    await chain.advance(5_000);
    await chain.advance(2_000);
    assert.deepEqual(
      told.slice(0, 3).map(({ names }) => names.join()),
      ['a,b', 'a,b', 'a,b'],
    );
    assert.equal(new Set(told.slice(0, 3).map(({ key }) => key)).size, 1);
    assert.deepEqual(await chain.store.deadLetters({ limit: 10 }), []);
  });

  test('that waits for the rate takes in changes that come meanwhile', async (t) => {
    let freeAt: number | undefined;
    const { told, definition } = channel({
      wait: () => {
        freeAt ??= chain.clock.now() + 5_000;
        return chain.clock.now() < freeAt ? freeAt : undefined;
      },
    });
    const chain: TestChain = await startTestChain(t, { handlers: [definition], digest: { windowMs: 10_000, over: 0 } });
    await chain.accept('shop/a', 'shop/b');
    await chain.runner.idle();
    await chain.advance(10_000);
    assert.equal(told.length, 0);
    await chain.accept('shop/c');
    await chain.runner.idle();
    await chain.advance(5_000);
    assert.deepEqual(
      told.map(({ names }) => names.join()),
      ['a,b,c'],
    );
  });

  test('that failed, as it may have arrived, keeps its members and key when it waits for the rate', async (t) => {
    let freeAt = 0;
    const { told, failures, definition } = channel({
      wait: () => (chain.clock.now() < freeAt ? freeAt : undefined),
    });
    const chain: TestChain = await startTestChain(t, { handlers: [definition], digest: many });
    failures.push(new Error('no answer'));
    await chain.accept('shop/a', 'shop/b');
    await chain.runner.idle();
    await chain.advance(10_000);
    freeAt = chain.clock.now() + 20_000;
    await chain.accept('shop/c', 'shop/d');
    for (let n = 0; n < 6; n++) await chain.advance(5_000);
    assert.deepEqual(
      told.map(({ names }) => names.join()),
      ['a,b', 'a,b', 'c,d'],
    );
    assert.equal(told[1]?.key, told[0]?.key);
    await assertAllDone(chain, 4);
  });

  test('leaves out members that a handler before the sink now halts or fails on', async (t) => {
    const { told, definition } = channel();
    let failures = 1;
    const chain = await startTestChain(t, { handlers: [definition], digest: many });
    await chain.accept(...named(4));
    await chain.runner.idle();
    const stricter = transform('match', (change) => {
      if (change.name === 'o1') return halt('not any more');
      if (change.name === 'o2' && failures-- > 0) throw new Error('boom');
      return change;
    });
    await chain.restart(0, [stricter, definition]);
    await chain.advance(10_000);
    assert.deepEqual(
      told.map(({ names }) => names.join()),
      ['o0,o3'],
    );
    for (let n = 0; n < 3; n++) await chain.advance(10_000);
    assert.deepEqual(told.at(-1)?.names, ['o2']);
    const [balance] = await chain.store.balances();
    assert.deepEqual([balance?.completed, balance?.halted, balance?.pending], [3, 1, 0]);
  });

  test('that is refused is delivered one by one, so that only the changes that are the reason become dead letters', async (t) => {
    const { told, failures, definition } = channel();
    const chain = await startTestChain(t, { handlers: [definition], digest: many });
    failures.push(new TerminalError('400'), undefined, new TerminalError('400'), undefined);
    await chain.accept('shop/a', 'shop/b', 'shop/c');
    await chain.runner.idle();
    await chain.advance(10_000);
    assert.deepEqual(
      told.map(({ names }) => names),
      [['a', 'b', 'c'], ['a'], ['b'], ['c']],
    );
    const letters = await chain.store.deadLetters({ limit: 10 });
    assert.deepEqual(
      letters.map(({ change, attempts }) => [change.name, attempts]),
      [['b', 1]],
    );
    const [balance] = await chain.store.balances();
    assert.deepEqual([balance?.completed, balance?.dead, balance?.pending], [2, 1, 0]);
  });

  test('that is refused as any other would be, such as with a revoked token, is given up whole', async (t) => {
    const { told, failures, definition } = channel();
    const chain = await startTestChain(t, { handlers: [definition], digest: many });
    failures.push(new TerminalError('401', { isGone: true }));
    await chain.accept('shop/a', 'shop/b');
    await chain.runner.idle();
    await chain.advance(10_000);
    assert.deepEqual(sizes(told), [2]);
    assert.equal((await chain.store.balances())[0]?.dead, 2);
  });

  test('whose attempts are spent leaves a dead letter per member, and their replays form a batch again', async (t) => {
    const { told, failures, definition } = channel();
    const chain = await startTestChain(t, { handlers: [definition], digest: many, retry: { retries: 1 } });
    failures.push(new Error('boom'), new Error('boom'));
    await chain.accept('shop/a', 'shop/b');
    await chain.runner.idle();
    await chain.advance(10_000);
    await chain.advance(2_000);
    const letters = await chain.store.deadLetters({ limit: 10 });
    assert.deepEqual(
      letters.map(({ change, handler, attempts }) => [change.name, handler, attempts]),
      [
        ['a', 'default/slack', 2],
        ['b', 'default/slack', 2],
      ],
    );
    await chain.store.replay(letters.map(({ id }) => id));
    await chain.runner.idle();
    await chain.advance(10_000);
    assert.deepEqual(told.at(-1)?.names, ['a', 'b']);
    assert.equal((await chain.store.balances())[0]?.pending, 0);
  });
});
