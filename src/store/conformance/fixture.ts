import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Change } from '../../change.ts';
import type { Delivery } from '../delivery.ts';
import type { Balance } from '../looking-back.ts';
import type { AcceptBatch, Basis, Observation, ScopeSpec } from '../scope.ts';
import type { Store } from '../store.ts';

/** Provides the suite with stores of one implementation. */
export interface StoreFixture {
  /** Whether data survives {@link OpenedStore.reopen}. */
  readonly durable: boolean;
  /** A new, empty store, removed when the test ends; its clock is stopped at {@link NOW}. */
  open(t: TestContext): Promise<OpenedStore>;
}

export interface OpenedStore {
  readonly store: Store;
  /** Closes the store and opens the same one again. */
  readonly reopen: () => Promise<Store>;
}

/** Milliseconds since the epoch. */
export const NOW = 1_800_000_000_000;

export const CLUSTER = { id: 'cluster-1', name: 'prod-eu' };

export const SPEC: ScopeSpec = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  resource: 'deployments',
  namespace: '',
  labelSelector: '',
  fieldSelector: '',
  chains: ['default'],
};

export const BASIS: Basis = { version: 'v1', interest: { except: ['status'] }, redaction: 'rules-1' };

/** A test that gets a fresh store. */
export function storeTest(fixture: StoreFixture, name: string, run: (opened: OpenedStore) => Promise<void>): void {
  test(name, async (t) => run(await fixture.open(t)));
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** An object as seen by a watch. `version` is its resourceVersion and its replicas. */
export function seen(name: string, version: number, more: Partial<Observation> = {}): Observation {
  const key = `shop/${name}`;
  const body = utf8(JSON.stringify({ metadata: { name, namespace: 'shop' }, spec: { replicas: version } }));
  return { type: 'seen', key, uid: `uid-${name}`, resourceVersion: String(version), digest: version, body, ...more };
}

/** As {@link seen}, nested about as deeply as an API server accepts: too deeply to be compared recursively. */
export function seenDeep(name: string, version: number, more: Partial<Observation> = {}): Observation {
  const spec = `${'{"a":'.repeat(9_900)}${version}${'}'.repeat(9_900)}`;
  return seen(name, version, {
    body: utf8(`{"metadata":{"name":"${name}","namespace":"shop"},"spec":${spec}}`),
    ...more,
  });
}

export function gone(name: string, version: number, more: Partial<Observation> = {}): Observation {
  return { ...seen(name, version, more), type: 'gone', body: new Uint8Array(0) };
}

/** Opens the scope of {@link SPEC}, or another one, and returns its id. */
export async function openScope(store: Store, spec: Partial<ScopeSpec> = {}): Promise<number> {
  return (await store.openScope({ ...SPEC, ...spec })).id;
}

export async function accept(store: Store, scope: number, ...observations: Observation[]): Promise<number> {
  return (await store.accept({ scope, observations })).changes;
}

/** A scope whose single chain has a pending `added` per name, in this order. */
export async function withPending(
  store: Store,
  names: readonly string[],
  spec: Partial<ScopeSpec> = {},
): Promise<number> {
  const scope = await openScope(store, spec);
  await accept(store, scope, ...names.map((name) => seen(name, 1)));
  return scope;
}

/** The result of accepting a list of unchanged objects. */
export function firstList(scope: number, observations: readonly Observation[]): AcceptBatch {
  return { scope, observations: observations.map((o) => ({ ...o, silent: true })), cursor: '100', basis: BASIS };
}

export async function claim(
  store: Store,
  options: {
    chain?: string;
    limit?: number;
    now?: number;
    stateful?: string[];
    batch?: boolean;
    behind?: number;
    coalesce?: boolean;
  } = {},
) {
  return store.claim({ chain: 'default', limit: 100, now: NOW, stateful: [], ...options });
}

/** Claims the only due delivery. */
export async function claimOne(store: Store, options: Parameters<typeof claim>[1] = {}): Promise<Delivery> {
  const { deliveries } = await claim(store, options);
  assert.equal(deliveries.length, 1);
  return deliveries[0] as Delivery;
}

/** `updated shop/web 2`: action, key and resourceVersion. */
export function line({ action, key, resourceVersion }: Change): string {
  return `${action} ${key} ${resourceVersion}`;
}

export async function claimLines(store: Store, options: Parameters<typeof claim>[1] = {}): Promise<string[]> {
  return (await claim(store, options)).deliveries.map(({ change }) => line(change));
}

export async function historyLines(store: Store): Promise<string[]> {
  return (await store.history({ limit: 1000 })).map(line);
}

export const COMPLETED = { kind: 'completed' } as const;

/** P8, for every chain. */
export async function assertBalanced(store: Store): Promise<readonly Balance[]> {
  const balances = await store.balances();
  for (const b of balances) {
    assert.equal(
      b.accepted + b.replayed,
      b.completed + b.halted + b.dead + b.superseded + b.discarded + b.pending,
      `the sums of ${b.chain} balance`,
    );
  }
  return balances;
}
