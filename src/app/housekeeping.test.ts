import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test, type TestContext } from 'node:test';
import type { ChainConfig } from '../config/config.ts';
import { runHousekeeping, warnOfOrphans, type HousekeepingOptions } from './housekeeping.ts';
import { createMetrics } from '../metrics.ts';
import { claim, CLUSTER, COMPLETED, withPending } from '../store/conformance/fixture.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { StoreError } from '../store/store-error.ts';
import { DEFAULT_RETENTION, type Balance } from '../store/looking-back.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { logInto } from '../testing/log-into.ts';

/** Housekeeping of a new store, whose clock stands still at first. */
async function keepHouse(t: TestContext, options: Partial<HousekeepingOptions> = {}) {
  const clock = new FakeClock();
  const store = await openSqliteStore({ path: ':memory:', cluster: CLUSTER, clock });
  t.after(() => store.close());
  const stopping = new AbortController();
  const logged: string[] = [];
  const all: HousekeepingOptions = {
    store,
    clock,
    log: logInto(({ level, message }) => logged.push(`${level}: ${message}`)),
    metrics: createMetrics(),
    stateFolder: undefined,
    retention: () => DEFAULT_RETENTION,
    signal: stopping.signal,
    ...options,
  };
  return { ...all, store, clock, logged, stop: () => stopping.abort(), run: () => runHousekeeping(all) };
}

const owing = (chain: string, pending = 1): Balance => {
  const ends = {
    replayed: 0,
    completed: 0,
    halted: 0,
    dead: 0,
    superseded: 0,
    discarded: 0,
    dueSince: undefined,
  };
  return { chain, accepted: pending, ...ends, pending };
};

test('warnOfOrphans() names unconfigured chains and branches that have pending changes', async () => {
  const branch = { name: 'pods/slack', branches: [] } as unknown as ChainConfig;
  const chains = [{ name: 'pods', branches: [branch] } as unknown as ChainConfig];
  const balances = [owing('pods'), owing('pods/slack'), owing('pods/gone'), owing('gone'), owing('quiet', 0)];
  const told: unknown[] = [];
  const log = logInto(({ chain, pending }) => told.push({ chain, pending }));
  await warnOfOrphans({ balances: () => Promise.resolve(balances) }, chains, log);
  assert.deepEqual(told, [
    { chain: 'pods/gone', pending: 1 },
    { chain: 'gone', pending: 1 },
  ]);
});

test('runHousekeeping() sets the metrics of pending changes and free space, and no oldest time if none is pending', async (t) => {
  const { store, clock, metrics, stop, run } = await keepHouse(t, { stateFolder: tmpdir() });
  const seenAt = clock.now() / 1_000;
  await withPending(store, ['a']);
  await clock.advance(5_000);
  await withPending(store, ['b']);
  const house = run();
  await clock.waitForSleepers(1);
  const { registry } = metrics;
  const shown = async (name: string) => (await registry.getSingleMetricAsString(`watchchain_${name}`)).split('\n')[2];
  assert.equal(await shown('pending'), 'watchchain_pending{chain="default"} 2');
  assert.equal(
    await shown('oldest_pending_timestamp_seconds'),
    `watchchain_oldest_pending_timestamp_seconds{chain="default"} ${seenAt}`,
  );
  assert.match((await shown('state_free_bytes')) ?? '', /^watchchain_state_free_bytes [1-9]\d+$/);
  for (const { id } of (await claim(store, { now: clock.now() })).deliveries) await store.complete(id, COMPLETED);
  await clock.advance(15_000);
  await clock.waitForSleepers(1);
  assert.equal(await shown('pending'), 'watchchain_pending{chain="default"} 0');
  assert.equal(await shown('oldest_pending_timestamp_seconds'), undefined);
  stop();
  await house;
});

test('runHousekeeping() logs a full disk once, and its recovery once', async (t) => {
  const { store, clock, logged, stop, run } = await keepHouse(t);
  let isFull = true;
  t.mock.method(store, 'prune', () =>
    isFull ? Promise.reject(new StoreError('STORE_FULL', 'no space is left')) : Promise.resolve(0),
  );
  const house = run();
  for (let n = 0; n < 4; n++) {
    await clock.waitForSleepers(1);
    isFull = n < 2;
    await clock.advance(15_000);
  }
  stop();
  await house;
  assert.deepEqual(logged, [
    'error: The disk is full: no changes are accepted until there is room',
    'info: There is room on the disk again',
  ]);
});

test('runHousekeeping() keeps trying while the store is locked, and logs it once', async (t) => {
  const { store, clock, logged, stop, run } = await keepHouse(t);
  const locked = new StoreError('STORE_REFUSED', 'The store refused a call: database is locked');
  const prune = t.mock.method(store, 'prune', () => Promise.reject(locked));
  const house = run();
  for (let n = 0; n < 2; n++) {
    await Promise.race([house, clock.waitForSleepers(1)]);
    await clock.advance(15_000);
  }
  await Promise.race([house, clock.waitForSleepers(1)]);
  stop();
  await house;
  assert.equal(prune.mock.callCount(), 3);
  assert.deepEqual(logged, ['error: Cannot clean up the store, trying again']);
});

test('runHousekeeping() ends with the remedy when the state folder is gone', async (t) => {
  const { run } = await keepHouse(t, { stateFolder: '/nowhere/state' });
  await assert.rejects(run(), {
    message:
      'The state folder /nowhere/state was moved or deleted; put it back before the next start, or that start begins with a new baseline',
  });
});

test('createMetrics() omits state_free_bytes until it is known, because 0 would raise an alarm', async () => {
  const { registry } = createMetrics();
  assert.doesNotMatch(await registry.metrics(), /^watchchain_state_free_bytes/m);
});
