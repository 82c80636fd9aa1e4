import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, test, type TestContext } from 'node:test';
import { accept, claim, claimOne, CLUSTER, COMPLETED, NOW, seen, withPending } from './conformance/fixture.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Delivery } from './delivery.ts';
import type { Store } from './store.ts';
import { openAt, temporaryFile } from '../testing/test-store.ts';

/** Accepts one change after another and prints the number of each once it is durable. */
const ACCEPT_FOR_EVER = `
  const { openSqliteStore } = await import(${JSON.stringify(new URL('./sqlite.ts', import.meta.url).href)});
  const { openScope, accept, seen, CLUSTER } = await import(${JSON.stringify(new URL('./conformance/fixture.ts', import.meta.url).href)});
  const store = await openSqliteStore({ path: process.argv[1], cluster: CLUSTER });
  const scope = await openScope(store);
  for (let i = 1; ; i++) {
    await accept(store, scope, seen('object-' + i, 1));
    process.stdout.write(i + '\\n');
  }
`;

describe('after a kill -9', () => {
  test('every change whose accept() had resolved is stored', async (t) => {
    const path = await temporaryFile(t);
    const child = spawn(process.execPath, ['--input-type=module', '-e', ACCEPT_FOR_EVER, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let acknowledged = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line);
      if (acknowledged === 200) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    assert.equal(child.signalCode, 'SIGKILL');
    const store = await openAt(t, path);
    const changes = await store.history({ limit: 1e6 });
    assert.ok(changes.length >= acknowledged && acknowledged >= 200, `${changes.length} of ${acknowledged}`);
    assert.equal((await store.balances())[0]?.pending, changes.length);
  });
});

describe('after repeated crashes', () => {
  /** Opens the store of a process that died without closing it. */
  const afterCrash = (path: string) => openSqliteStore({ path, cluster: CLUSTER });
  /** Starts anew each time, without closing the store before: the test does so at its end. */
  const starter = (t: TestContext, path: string) => {
    const stores: Store[] = [];
    t.after(async () => Promise.all(stores.map((store) => store.close())));
    return async () => {
      const store = await afterCrash(path);
      stores.push(store);
      return store;
    };
  };

  test('counts the crashes during which each delivery was running, and hands out suspects alone', async (t) => {
    const path = await temporaryFile(t);
    const crash = starter(t, path);
    const first = await crash();
    await withPending(first, ['a', 'b', 'c', 'd']);
    /** Claims like a chain that runs two at once. */
    const claimed = async (store: Store, limit = 100) => {
      const { deliveries } = await store.claim({ chain: 'default', limit, now: NOW, stateful: [], atOnce: 2 });
      return deliveries.map(({ id, change, crashes }) => ({ id, text: `${change.name} ${crashes}` }));
    };
    const texts = async (...args: Parameters<typeof claimed>) => (await claimed(...args)).map(({ text }) => text);
    const [begun] = await claimed(first, 2);
    assert.deepEqual(await texts(first), ['c 0', 'd 0']);
    await first.complete(begun?.id ?? 0, COMPLETED);
    const second = await crash();
    const [b] = await claimed(second);
    assert.equal(b?.text, 'b 1', 'b and c were running, d was not');
    assert.deepEqual(await texts(second), [], 'a suspect runs alone');
    assert.equal(await second.complete(b.id, COMPLETED), true, 'there is more to claim');
    assert.deepEqual(await texts(second), ['c 1']);
    assert.deepEqual(await texts(await crash()), ['c 2']);
    const last = await crash();
    const [suspect] = await claimed(last);
    assert.equal(suspect?.text, 'c 3');
    await last.park(suspect.id, { until: NOW, attempts: 1, deferredSince: undefined, reason: 'HTTP 500' });
    assert.deepEqual(await texts(last), ['c 0', 'd 0'], 'c was tried without a crash');
  });

  test('never gathers what was running with others: a receiver may have it under a key of its own', async (t) => {
    const path = await temporaryFile(t);
    const start = starter(t, path);
    const first = await start();
    await withPending(first, ['running', 'waiting']);
    await first.claim({ chain: 'default', limit: 100, now: NOW, stateful: [], atOnce: 1 });
    const second = await start();
    const running = await claimOne(second);
    assert.deepEqual([running.change.name, running.isAlone], ['running', true]);
    await second.park(running.id, { until: NOW, attempts: 0, deferredSince: undefined, reason: 'HTTP 429' });
    const { deliveries } = await claim(second);
    assert.deepEqual(
      deliveries.map(({ change, isAlone }) => [change.name, isAlone]),
      [
        ['running', true],
        ['waiting', false],
      ],
    );
  });

  test('counts crashes for each member of a batch, and hands out the batch alone', async (t) => {
    const path = await temporaryFile(t);
    const start = starter(t, path);
    const claimed = async (store: Store, now = NOW) => {
      const { deliveries, batch } = await store.claim({ chain: 'default', limit: 100, now, stateful: [], batch: true });
      const members = batch?.deliveries ?? [];
      const text = (of: readonly Delivery[]) => of.map(({ change, crashes }) => `${change.name} ${crashes}`).join(', ');
      return { ids: [...deliveries, ...members].map(({ id }) => id), texts: [text(deliveries), text(members)] };
    };
    const gather = (store: Store, id: number, until: number, batch?: number) => {
      const handler = 'default/slack';
      return store.park(id, { until, attempts: 0, deferredSince: undefined, reason: 'r', gather: { handler, batch } });
    };
    const first = await start();
    const scope = await withPending(first, ['a', 'b', 'later', 'single']);
    const [a = 0, b = 0, later = 0, single = 0] = (await claimed(first)).ids;
    for (const id of [a, b]) await gather(first, id, NOW);
    await gather(first, later, NOW + 1, later);
    await first.release(single);
    assert.deepEqual((await claimed(first)).texts, ['single 0', 'a 0, b 0']);
    await first.fixBatch([a, b]);

    const second = await start();
    assert.deepEqual((await claimed(second)).texts, ['single 1', ''], 'no batch runs beside a suspect');
    assert.deepEqual((await claimed(second)).texts, ['', '']);
    await accept(second, scope, seen('new', 1));
    assert.equal(await second.complete(single, COMPLETED), true, 'others waited for it');
    assert.deepEqual((await claimed(second)).texts, ['', 'a 1, b 1'], 'a suspect batch runs alone');
    assert.deepEqual((await claimed(second)).texts, ['', '']);

    const third = await start();
    const { ids, texts } = await claimed(third);
    assert.deepEqual(texts, ['', 'a 2, b 2']);
    for (const id of ids) await gather(third, id, NOW + 2, a);
    assert.deepEqual((await claimed(third)).texts, ['new 0', ''], 'the batch was tried without a crash');

    const last = await start();
    const suspect = await claimed(last, NOW + 2);
    assert.deepEqual(suspect.texts, ['new 1', '']);
    for (const id of suspect.ids) await last.complete(id, COMPLETED);
    assert.deepEqual((await claimed(last, NOW + 2)).texts, ['', 'later 0']);
    assert.deepEqual((await claimed(last, NOW + 2)).texts, ['', 'a 0, b 0']);
  });

  test('a batch that has to wait for a suspect does not make the chain ask for it again and again', async (t) => {
    const path = await temporaryFile(t);
    const first = await afterCrash(path);
    await withPending(first, ['member', 'suspect']);
    const [member, suspect] = (await claim(first)).deliveries;
    const park = {
      until: NOW,
      attempts: 0,
      deferredSince: undefined,
      reason: 'r',
      gather: { handler: 'default/slack' },
    };
    await first.park(member?.id ?? 0, park);
    const second = await afterCrash(path);
    t.after(async () => Promise.all([first.close(), second.close()]));
    for (const claimed of [[suspect?.id], []]) {
      const { deliveries, hasGathered, nextDueAt } = await claim(second, { batch: true });
      assert.deepEqual([deliveries.map(({ id }) => id), hasGathered, nextDueAt], [claimed, true, undefined]);
    }
    assert.equal(await second.complete(suspect?.id ?? 0, COMPLETED), true, 'the batch waited for it');
    assert.equal((await claim(second, { batch: true })).batch?.deliveries.length, 1);
  });

  test('counts crashes for a change that was handed out behind another of its group, once its turn has come', async (t) => {
    const path = await temporaryFile(t);
    const start = starter(t, path);
    const grouping = await start();
    await withPending(grouping, ['a', 'b', 'c']);
    for (const { id } of (await claim(grouping)).deliveries) {
      const { states } = await grouping.join(id, 'shop', ['h']);
      if (states !== undefined) await grouping.release(id);
    }
    await grouping.close();
    const crashed = await start();
    const [a, b] = (await claim(crashed, { behind: 31 })).deliveries;
    assert.ok(a && b?.isBehind);
    const halted = { kind: 'halted', by: 'h', reason: 'r' } as const;
    await crashed.completeAll([{ delivery: a.id, end: halted }], {}, b.id);
    const { id, crashes } = await claimOne(await start());
    assert.deepEqual([id, crashes], [b.id, 1]);
  });

  test('the crash count restarts with a replay', async (t) => {
    const path = await temporaryFile(t);
    const first = await afterCrash(path);
    await withPending(first, ['a']);
    await claimOne(first);
    const second = await afterCrash(path);
    t.after(async () => Promise.all([first.close(), second.close()]));
    const { id, crashes } = await claimOne(second);
    assert.equal(crashes, 1);
    await second.deadLetter(id, { handler: 'default/slack', error: 'set aside', attempts: 0 });
    await second.replay([id]);
    assert.equal((await claimOne(second)).crashes, 0);
  });

  test('the crash count is forgotten after a clean stop', async (t) => {
    const path = await temporaryFile(t);
    const first = await afterCrash(path);
    await withPending(first, ['a']);
    await claimOne(first);
    const second = await afterCrash(path);
    assert.equal((await claimOne(second)).crashes, 1);
    await first.close();
    await second.close();
    const third = await afterCrash(path);
    t.after(() => third.close());
    assert.equal((await claimOne(third)).crashes, 0);
  });
});
