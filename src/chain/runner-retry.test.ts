import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../change.ts';
import { TerminalError } from '../errors.ts';
import { boom, countOf, recording, sink, startTestChain, storeWith, transform } from '../testing/test-chain.ts';

describe('chain runner: retry', () => {
  test('17: a change whose sink fails once is delivered exactly once, with its before and after', async (t) => {
    const delivered: Change[] = [];
    const chain = await startTestChain(t, {
      handlers: [recording('slack', delivered, (n) => (n === 2 ? boom() : undefined))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    await chain.advance(60_000);
    assert.deepEqual(
      delivered.map(({ action, before, after }) => [action, before?.['version'], after?.['version']]),
      [
        ['added', undefined, 1],
        ['updated', 1, 2],
      ],
    );
  });

  test('a change whose message failed is sent again by itself, as the receiver may have it under its key', async (t) => {
    const told: { readonly names: string; readonly key: string }[] = [];
    const tell = (changes: readonly Change[], { idempotencyKey: key }: { readonly idempotencyKey: string }) => {
      told.push({ names: changes.map(({ name }) => name).join(), key });
      return told.length === 1 ? Promise.reject(boom()) : Promise.resolve();
    };
    const slack = sink('slack', (change, context) => tell([change], context), { deliverMany: tell });
    const chain = await startTestChain(t, { handlers: [slack], digest: { windowMs: 10_000, over: 1 } });
    await chain.accept('shop/a');
    await chain.runner.idle();
    await chain.accept('shop/b', 'shop/c');
    await chain.runner.idle();
    for (let second = 0; second < 15; second++) await chain.advance(1_000);
    assert.deepEqual(
      told.map(({ names }) => names),
      ['a', 'a', 'b,c'],
    );
    assert.equal(told[1]?.key, told[0]?.key);
  });

  test('18: retries go on for at least 31 s, then the change is a dead letter, logged with its key and counted', async (t) => {
    const at: number[] = [];
    const chain = await startTestChain(t, {
      handlers: [
        sink('failing', () => {
          at.push(chain.clock.monotonic());
          return Promise.reject(boom());
        }),
      ],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    for (let second = 0; second < 70; second++) await chain.advance(1_000);
    assert.equal(at.length, 4);
    const waits = at.slice(1).map((time, n) => time - (at[n] ?? 0));
    for (const [n, wait] of waits.entries()) {
      assert.ok(wait >= 1_000 * 5 ** n && wait <= 2_000 * 5 ** n + 1_000, `wait ${n} took ${wait} ms`);
    }
    const entry = chain.logged.find(({ level }) => level === 'error');
    assert.equal(entry?.['key'], 'shop/web');
    assert.equal(entry?.['attempts'], 4);
    assert.equal(await countOf(chain.metrics, 'ends_total', { end: 'dead' }), 1);
    const [dead] = await chain.store.deadLetters({ limit: 10 });
    assert.equal(dead?.handler, 'default/failing');
    assert.equal(dead?.error, 'boom');
    assert.equal(dead?.attempts, 4);
  });

  test('no retry waits longer than an hour, however many are configured', async (t) => {
    const at: number[] = [];
    const chain = await startTestChain(t, {
      retry: { retries: 12 },
      handlers: [
        sink('failing', () => {
          at.push(chain.clock.monotonic());
          return Promise.reject(boom());
        }),
      ],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    for (let step = 0; step < 12 * 6; step++) await chain.advance(600_000);
    assert.equal(at.length, 13);
    const waits = at.slice(1).map((time, n) => time - (at[n] ?? 0));
    assert.ok(Math.max(...waits) <= 3_600_000 + 600_000, waits.join());
  });

  test('19: in [log, a, b] where b fails once, log and a run once', async (t) => {
    const [log, a, b]: [Change[], Change[], Change[]] = [[], [], []];
    const handlers = [
      recording('log', log),
      recording('a', a),
      recording('b', b, (n) => (n === 1 ? boom() : undefined)),
    ];
    const chain = await startTestChain(t, { handlers });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.deepEqual([log.length, a.length, b.length], [1, 1, 1]);
  });

  test('transforms run again on a retry, from the first handler', async (t) => {
    let runs = 0;
    const counting = transform('counting', (change) => (runs++, change));
    const chain = await startTestChain(t, {
      handlers: [counting, recording('sink', [], (n) => (n === 1 ? boom() : undefined))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.equal(runs, 2);
  });

  test('a TypeError is retried like any other error', async (t) => {
    const delivered: Change[] = [];
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered, (n) => (n === 1 ? new TypeError('x is not a function') : undefined))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.equal(delivered.length, 1);
  });

  test('a thrown value that is not an Error is retried too', async (t) => {
    const delivered: Change[] = [];
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered, (n) => (n === 1 ? 'text' : undefined))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.equal(delivered.length, 1);
  });

  test('a TerminalError makes a dead letter at once', async (t) => {
    const chain = await startTestChain(t, {
      handlers: [recording('sink', [], () => new TerminalError('no such channel'))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    const [dead] = await chain.store.deadLetters({ limit: 10 });
    assert.equal(dead?.error, 'no such channel');
    assert.equal(dead?.attempts, 1);
  });

  test('22: changes of one object stay in order across a retry; other objects go on meanwhile', async (t) => {
    const delivered: Change[] = [];
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered, (n) => (n === 1 ? boom() : undefined))],
    });
    await chain.accept('shop/web', 'shop/web', 'shop/api');
    await chain.runner.idle();
    assert.deepEqual(
      delivered.map(({ key }) => key),
      ['shop/api'],
    );
    await chain.advance(2_000);
    assert.deepEqual(
      delivered.map(({ key, action }) => `${action} ${key}`),
      ['added shop/api', 'added shop/web', 'updated shop/web'],
    );
  });

  test('attempts spent are kept over a restart', async (t) => {
    let attempts = 0;
    const chain = await startTestChain(t, {
      handlers: [sink('failing', () => (attempts++, Promise.reject(boom())))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(2_000);
    assert.equal(attempts, 2);
    await chain.restart();
    for (let n = 0; n < 10; n++) await chain.advance(10_000);
    assert.equal(attempts, 4);
  });

  test('a dead letter replayed by another process is claimed within 5 s, and delivered once', async (t) => {
    const delivered: Change[] = [];
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered, (n) => (n === 1 ? new TerminalError('no') : undefined))],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    const [dead] = await chain.store.deadLetters({ limit: 1 });
    await chain.store.replay([dead?.id ?? 0]);
    await chain.advance(5_000);
    assert.equal(delivered[0]?.flags.replayed, true);
    await chain.advance(60_000);
    assert.equal(delivered.length, 1);
  });

  test('a completion that nothing waits for is written with the next claim, or soon after', async (t) => {
    const asked: string[] = [];
    const delivered: Change[] = [];
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered)],
      wrapStore: (store) =>
        storeWith(store, {
          complete: (...request) => (asked.push('complete'), store.complete(...request)),
          claim: (...request) => (asked.push('claim'), store.claim(...request)),
        }),
    });
    await chain.runner.idle();
    await chain.accept('shop/web');
    while (delivered.length < 1) await chain.clock.advance(0);
    await chain.clock.advance(0);
    assert.ok(!asked.includes('complete'));
    asked.length = 0;
    chain.runner.kick();
    assert.deepEqual(asked, ['complete', 'claim'], 'in one turn, and so in one transaction');
    await chain.runner.idle();
    await chain.accept('shop/web');
    while (delivered.length < 2) await chain.clock.advance(0);
    await chain.clock.advance(10);
    assert.equal(asked.at(-1), 'complete');
    await chain.runner.idle();
  });

  test('completions wait for each other until they hold half of the slots', async (t) => {
    const all = Promise.withResolvers<void>();
    let delivering = 0;
    const gathering = sink('sink', async () => {
      if (++delivering === 4) all.resolve();
      await all.promise;
    });
    const chain = await startTestChain(t, { handlers: [gathering], concurrency: 8 });
    await chain.accept('shop/a', 'shop/b', 'shop/c', 'shop/d');
    // The clock is stopped, so no wait ends by itself.
    while ((await chain.store.balances())[0]?.completed !== 4) await new Promise(setImmediate);
    await chain.runner.idle();
  });

  test('a refused checkpoint is retried before the change is parked, and the sink is not run again', async (t) => {
    const delivered: Change[] = [];
    let refusals = 1;
    let failures = 1;
    const chain = await startTestChain(t, {
      handlers: [
        recording('a', delivered),
        sink('b', () => (failures-- > 0 ? Promise.reject(boom('not yet')) : Promise.resolve())),
      ],
      wrapStore: (store) =>
        storeWith(store, {
          checkpoint: (...request) =>
            refusals-- > 0 ? Promise.reject(boom('disk full')) : store.checkpoint(...request),
        }),
    });
    await chain.accept('shop/web');
    const idle = chain.runner.idle();
    await chain.clock.waitForSleepers(2);
    await chain.clock.advance(1_000);
    await idle;
    await chain.advance(2_000);
    assert.equal(delivered.length, 1);
    assert.equal((await chain.store.balances())[0]?.completed, 1);
  });

  test('a refused completion is retried, and the sink is not run again', async (t) => {
    const delivered: Change[] = [];
    let refusals = 2;
    const chain = await startTestChain(t, {
      handlers: [recording('sink', delivered)],
      wrapStore: (store) =>
        storeWith(store, {
          complete: (...request) => (refusals-- > 0 ? Promise.reject(boom('disk full')) : store.complete(...request)),
        }),
    });
    await chain.accept('shop/web');
    const idle = chain.runner.idle();
    await chain.clock.waitForSleepers(2);
    await chain.clock.advance(1_000);
    await chain.clock.waitForSleepers(2);
    await chain.advance(2_000);
    await idle;
    assert.equal(delivered.length, 1);
    assert.equal((await chain.store.balances())[0]?.completed, 1);
    assert.deepEqual(
      chain.logged.filter(({ message }) => /\bstore\b/.test(message)).map(({ level, message }) => [level, message]),
      [
        ['error', 'Cannot write to the store, the chain waits'],
        ['debug', 'Cannot write to the store, the chain waits'],
        ['info', 'The store can be written to again, the chain continues'],
      ],
    );
  });
});
