import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../../src/change.ts';
import { halt, type HandlerDefinition } from '../../src/chain/handler.ts';
import { boom, recording, sink, startTestChain, transform } from '../../src/testing/test-chain.ts';
import { accept, failing, KEY, MINUTE, pass, reasons, start, told } from '../../src/testing/test-lasting.ts';

describe('lasting, when something fails', () => {
  test('says the same in a retry, and does not count twice', async (t) => {
    const seen: Change[] = [];
    const given: string[] = [];
    const flaky = recording('flaky', seen, (n) => (n === 1 ? boom() : undefined));
    const watching = transform('watching', (change) => (given.push(...told([change]), change.resourceVersion), change));
    const { chain } = await start(t, failing(), watching, flaky);
    await accept(chain, 2);
    await pass(chain, 6);
    assert.deepEqual(given, ['updated, 1 -> 3, for 5m now', '3', 'updated, 1 -> 3, for 5m now', '3']);
    await accept(chain, 1);
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 5m now', 'updated, 3 -> 4, over after 6m']);
  });

  test('reports the end to a receiver that was told before another failed', async (t) => {
    const first: Change[] = [];
    const flaky = recording('flaky', [], (n) => (n === 1 ? boom() : undefined));
    const { chain, seen } = await start(t, failing(), recording('first', first), flaky);
    await accept(chain, 2);
    await pass(chain, 5);
    await chain.accept(KEY);
    await pass(chain, 1);
    assert.deepEqual(told(first), ['updated, 1 -> 3, for 5m now', 'updated, 3 -> 4, over after 5m']);
    assert.deepEqual(told(seen), ['updated, 3 -> 4, over after 5m']);
  });

  test('reports the end to a receiver that was told, although another change of the object comes before it', async (t) => {
    const first: Change[] = [];
    const flaky = recording('flaky', [], (n) => (n === 1 ? boom() : undefined));
    const { chain } = await start(t, failing(), recording('first', first), flaky);
    await accept(chain, 1);
    await pass(chain, 5);
    await chain.accept(KEY);
    await chain.accept(KEY);
    await pass(chain, 10);
    assert.deepEqual(told(first), ['updated, 1 -> 2, for 5m now', 'updated, 3 -> 4, over after 5m']);
  });

  test('says the same in a retry although a reload made the time longer before it', async (t) => {
    const first: Change[] = [];
    const second: Change[] = [];
    const flaky = recording('flaky', second, (n) => (n === 1 ? boom() : undefined));
    const receiver = recording('first', first);
    const { chain } = await start(t, failing(), receiver, flaky);
    await accept(chain, 1);
    await pass(chain, 5);
    await chain.restart(0, [failing({ for: '10m' }), receiver, flaky]);
    await pass(chain, 10);
    await accept(chain, 2);
    const both = ['updated, 1 -> 2, for 5m now', 'updated, 3 -> 4, over after 15m'];
    assert.deepEqual([told(first), told(second)], [both, both]);
  });

  test('says the same when it is replayed although a reload made the time longer before it', async (t) => {
    const receiver: Change[] = [];
    const flaky = recording('flaky', receiver, (n) => (n <= 4 ? boom() : undefined));
    const { chain } = await start(t, failing(), flaky);
    await accept(chain, 1);
    await pass(chain, 7); // the three waits between the attempts are up to 62 s together
    const [letter = assert.fail()] = await chain.store.deadLetters({ limit: 10 });
    await chain.restart(0, [failing({ for: '10m' }), flaky]);
    await chain.store.replay([letter.id]);
    await pass(chain, 10);
    assert.deepEqual(told(receiver), ['updated, 1 -> 2, for 5m now, sent again from the dead letters']);
  });

  test('reports again what was perhaps told, if an earlier handler halted its end', async (t) => {
    const first: Change[] = [];
    const flaky = recording('flaky', [], (n) => (n === 1 ? boom() : undefined));
    const gate = transform('gate', (change) => (/^[345]$/.test(change.resourceVersion) ? halt('not now') : change));
    const again = failing({ field: { version: '^[2567]$' } });
    const { chain } = await start(t, gate, again, recording('first', first), flaky);
    await accept(chain, 1);
    await pass(chain, 5);
    await accept(chain, 1);
    await pass(chain, 1);
    await accept(chain, 3);
    await pass(chain, 1);
    assert.deepEqual(told(first), ['updated, 1 -> 2, for 5m now', 'updated, 1 -> 6, for 6m 10s now']);
  });

  test('reports the end to a receiver that was perhaps told when a stop cut off its answer', async (t) => {
    const seen: Change[] = [];
    const reported = Promise.withResolvers<void>();
    const slow = sink('slow', (change) => {
      seen.push(change);
      reported.resolve();
      return seen.length === 1 ? new Promise(() => undefined) : Promise.resolve();
    });
    const { chain } = await start(t, failing(), slow);
    await accept(chain, 2);
    for (let n = 0; n < 59; n++) await chain.advance(MINUTE / 12);
    await chain.clock.advance(MINUTE / 12);
    chain.runner.kick();
    await reported.promise;
    const stopping = chain.runner.stop(0);
    await chain.clock.advance(1);
    await stopping;
    await chain.accept(KEY);
    await chain.restart();
    await chain.runner.idle();
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 5m now', 'updated, 3 -> 4, over after 5m']);
  });

  test('after a late start, first sees what has happened meanwhile', async (t) => {
    const { chain, seen } = await start(t);
    await accept(chain, 2);
    await chain.restart(60 * MINUTE);
    await chain.runner.idle();
    assert.match(reasons(chain).at(-1) ?? '', /^waits: it is not certain yet/);
    await accept(chain, 1);
    await pass(chain, 10);
    assert.deepEqual(told(seen), []);
    assert.match(reasons(chain).at(-1) ?? '', /^over after 1h/);
  });

  test('after a late start, reports what still lasts', async (t) => {
    const { chain, seen } = await start(t);
    await accept(chain, 2);
    await chain.restart(60 * MINUTE);
    await chain.runner.idle();
    assert.deepEqual(told(seen), []);
    await pass(chain, 1);
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 1h now']);
  });
  test('after a short stop, first sees what has happened meanwhile', async (t) => {
    const { chain, seen } = await start(t);
    await accept(chain, 2);
    await pass(chain, 4);
    await chain.clock.advance(MINUTE - 1_000);
    await chain.restart();
    await chain.advance(1_000);
    await accept(chain, 1);
    await pass(chain, 10);
    assert.deepEqual(told(seen), []);
    assert.match(reasons(chain).at(-1) ?? '', /^over after 5m/);
  });

  test('reports although every wake-up is late, as too much waits in the chain', async (t) => {
    let turn = Promise.withResolvers<void>();
    const busy = transform('busy', (change) => (change.key === KEY ? change : turn.promise.then(() => halt('other'))));
    const chain = await startTestChain(t, {
      handlers: [{ ...busy, deadlineMs: () => 60 * MINUTE } as HandlerDefinition, failing()],
      concurrency: 1,
    });
    await accept(chain, 2);
    for (const _ of [1, 2]) {
      await chain.accept(...Array.from({ length: 100 }, (_, n) => `shop/other-${n}`));
      await chain.clock.advance(10 * MINUTE);
      turn.resolve();
      await chain.runner.idle();
      turn = Promise.withResolvers();
    }
    const { completed } = (await chain.store.balances())[0] ?? assert.fail();
    assert.deepEqual([completed, reasons(chain).filter((reason) => reason.includes('not certain')).length], [1, 1]);
  });

  test('waits for the whole time after the clock was set back', async (t) => {
    const { chain, seen } = await start(t);
    chain.clock.set(-60 * MINUTE);
    await accept(chain, 2);
    await pass(chain, 4);
    assert.deepEqual(told(seen), []);
    await pass(chain, 1);
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 5m now']);
  });

  test('applies a longer time to a wait under way', async (t) => {
    const { chain, seen, sink } = await start(t);
    await accept(chain, 2);
    await chain.restart(0, [failing({ for: '10m' }), sink]);
    await pass(chain, 9);
    assert.deepEqual(told(seen), []);
    await pass(chain, 1);
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 10m now']);
  });

  test('applies a shorter time from the next change on', async (t) => {
    const { chain, seen, sink } = await start(t, failing({ for: '1h' }));
    await accept(chain, 1);
    await pass(chain, 10);
    await chain.restart(0, [failing(), sink]);
    await accept(chain, 1);
    await pass(chain, 1);
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 10m 10s now']);
  });

  test('reports what the history no longer holds by its present manifest', async (t) => {
    const { chain, seen } = await start(t);
    await accept(chain, 2);
    await chain.store.forget([2, 3]);
    await pass(chain, 5);
    assert.deepEqual(told(seen), ['updated, - -> 3, for 5m now']);
  });
});
