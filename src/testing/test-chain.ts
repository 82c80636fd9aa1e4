/** One chain on a real store, with a clock that tests move: for tests of the chain runner and of handlers in a chain. */
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { z } from 'zod';
import type { Change, ChangeFlags } from '../change.ts';
import {
  defineSink,
  defineStateful,
  defineTransform,
  type HandlerDefinition,
  type HandlerEnvironment,
  type SinkInstance,
  type StatefulInstance,
  type TransformInstance,
} from '../chain/handler.ts';
import type { ChainRunner } from '../chain/runner.ts';
import { createChainTree } from '../chain/tree.ts';
import type { ChainConfig, DigestConfig, RetryConfig } from '../config/config.ts';
import { createReceivers } from '../delivery/receivers.ts';
import type { Json } from '../json.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Observation, ScopeSpec } from '../store/scope.ts';
import type { Store } from '../store/store.ts';
import { deepFrozen } from './change.ts';
import { FakeClock } from './fake-clock.ts';
import { logInto, type LoggedLine } from './log-into.ts';

export interface TestChainOptions {
  readonly handlers: readonly HandlerDefinition[];
  readonly branches?: readonly TestBranch[];
  readonly retry?: Partial<RetryConfig>;
  readonly concurrency?: number;
  /** For every sink. */
  readonly digest?: DigestConfig;
  /** By the sink's name. */
  readonly fallbacks?: Readonly<Record<string, { readonly to: string; readonly afterMs: number }>>;
  readonly awayFrom?: number;
  /** Default false: most tests count changes. */
  readonly coalesce?: boolean;
  /** Wraps the real store, which is in memory. */
  readonly wrapStore?: (store: Store) => Store;
  readonly mayWork?: () => boolean;
}

export interface TestBranch extends Pick<
  TestChainOptions,
  'handlers' | 'branches' | 'retry' | 'concurrency' | 'digest' | 'awayFrom' | 'coalesce' | 'fallbacks'
> {
  readonly name: string;
}

export interface TestChain {
  readonly clock: FakeClock;
  readonly store: Store;
  readonly metrics: Metrics;
  /** Every log entry at debug and above. */
  readonly logged: readonly LoggedLine[];
  readonly runner: ChainRunner;
  /** Accepts a version of each named object (`shop/web`), in order: first `added`, then `updated`. Kicks the runner. */
  accept(...keys: string[]): Promise<void>;
  /** The same, but for changes that happened while nothing was watching. */
  missed(...keys: string[]): Promise<void>;
  delete(key: string): Promise<void>;
  /** Moves time, then runs everything that became due to its end. */
  advance(ms: number): Promise<void>;
  /** Restarts the process on the same store, with other handlers if given. */
  restart(graceMs?: number, handlers?: readonly HandlerDefinition[]): Promise<void>;
}

const SCOPE: ScopeSpec = {
  group: 'apps',
  version: 'v1',
  resource: 'deployments',
  kind: 'Deployment',
  namespace: '',
  labelSelector: '',
  fieldSelector: '',
  chains: ['default'],
};
const RETRY: RetryConfig = { retries: 3, minTimeoutMs: 1_000, factor: 5, deferForMs: 900_000 };

/** Starts the chain `default`; its changes are deep-frozen. Everything ends with the test. */
export async function startTestChain(test: TestContext, options: TestChainOptions): Promise<TestChain> {
  const clock = new FakeClock();
  const metrics = createMetrics();
  const real = await openSqliteStore({ path: ':memory:', cluster: { id: 'cluster-1', name: 'test' }, clock });
  const store = frozenChanges(options.wrapStore?.(real) ?? real);
  const logged: LoggedLine[] = [];
  const log = logInto((line) => logged.push(line));
  const receivers = createReceivers({ clock, metrics, log, env: {} });
  let chain = configOf('default', options);
  const create = (): ChainRunner =>
    createChainTree({
      chain,
      store,
      clusterName: 'test',
      receivers,
      clock,
      log,
      metrics,
      stdout: new PassThrough().resume(),
      mayWork: options.mayWork,
    });
  let runner = create();
  const { id: scope } = await real.openScope(SCOPE);
  let version = 0;
  const observe = async (key: string, type: Observation['type'], flags: ChangeFlags = {}): Promise<void> => {
    const [namespace, name] = key.split('/');
    const resourceVersion = String(++version);
    const metadata = { name, namespace, uid: key, resourceVersion };
    const body = Buffer.from(JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, version }));
    await real.accept({
      scope,
      observations: [{ type, key, uid: key, resourceVersion, digest: version, body, flags }],
    });
    runner.kick();
  };

  test.after(async () => {
    await runner.stop(0);
    await real.close();
    await receivers.close();
  });
  await runner.start();
  return {
    clock,
    store: real,
    metrics,
    logged,
    get runner() {
      return runner;
    },
    async accept(...keys) {
      for (const key of keys) await observe(key, 'seen');
    },
    async missed(...keys) {
      for (const key of keys) await observe(key, 'seen', { whileAway: true });
    },
    delete: (key) => observe(key, 'gone'),
    async advance(ms) {
      await clock.advance(ms);
      await runner.idle();
    },
    async restart(graceMs = 0, handlers = options.handlers) {
      const stopping = runner.stop(graceMs);
      await clock.advance(graceMs);
      await stopping;
      chain = configOf('default', { ...options, handlers });
      runner = create();
      await runner.start();
    },
  };
}

function configOf(
  name: string,
  {
    handlers,
    branches = [],
    retry,
    concurrency = 8,
    digest,
    awayFrom,
    coalesce = false,
    fallbacks = {},
  }: Omit<TestBranch, 'name'>,
): ChainConfig {
  return {
    name,
    resources: [],
    handlers: handlers.map((definition) => {
      const id = `${name}/${definition.name}`;
      const spare = fallbacks[definition.name];
      const fallback = spare === undefined ? undefined : { id: `${name}/${spare.to}`, afterMs: spare.afterMs };
      return {
        id,
        definition,
        options: {},
        secrets: [],
        at: 'test',
        ...(definition.type === 'sink' ? { digest, fallback } : {}),
      };
    }),
    branches: branches.map((branch) => configOf(`${name}/${branch.name}`, branch)),
    retry: { ...RETRY, ...retry },
    fingerprint: '',
    concurrency,
    awayFrom,
    coalesce,
  };
}

/** A handler as configured with these options: {@link startTestChain} gives its handlers none. */
export function configured(definition: HandlerDefinition, options: object): HandlerDefinition {
  const parsed = definition.options.parse(options);
  const create = (_: object, environment: HandlerEnvironment) => definition.create(parsed, environment);
  if (!('deadlineMs' in definition)) return { ...definition, create } as HandlerDefinition;
  return { ...definition, create, deadlineMs: () => definition.deadlineMs?.(parsed) } as HandlerDefinition;
}

const described = { summary: '', description: '', options: z.looseObject({}), examples: [] };

export function transform(name: string, handle: TransformInstance['handle']): HandlerDefinition {
  return defineTransform({ ...described, name, create: () => ({ handle }) });
}

/** @param more `deliverMany` and `fits`, for a sink that can deliver several changes at once */
export function sink(
  name: string,
  deliver: SinkInstance['deliver'],
  more: Partial<SinkInstance> = {},
): HandlerDefinition {
  return defineSink({ ...described, name, create: () => ({ deliver, ...more }) });
}

export function stateful<S extends Json>(name: string, handle: StatefulInstance<S>['handle']): HandlerDefinition {
  return defineStateful<typeof described.options, S>({ ...described, name, create: () => ({ handle }) });
}

/** A handler that keeps state by group. */
export function grouping<S extends Json>(name: string, instance: StatefulInstance<S>): HandlerDefinition {
  return defineStateful<typeof described.options, S>({ ...described, name, create: () => instance });
}

/** A sink that records what it was given, and throws what `fail` returns for its nth call. */
export function recording(
  name: string,
  seen: Change[],
  fail: (n: number) => unknown = () => undefined,
): HandlerDefinition {
  let calls = 0;
  return sink(name, (change) => {
    const failure = fail(++calls);
    if (failure !== undefined) return Promise.reject(failure);
    seen.push(change);
    return Promise.resolve();
  });
}

export const boom = (message = 'boom') => new Error(message);

/** A counter's value, 0 if it never counted. */
export async function countOf(
  metrics: Metrics,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<number> {
  const metric = await metrics.registry.getSingleMetric(`watchchain_${name}`)?.get();
  const expected = Object.entries(labels);
  const values = metric?.values.filter(({ labels: has }) => expected.every(([label, value]) => has[label] === value));
  return (values ?? []).reduce((sum, { value }) => sum + value, 0);
}

/** The store, with some of its calls replaced. */
export function storeWith(store: Store, calls: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(property in calls ? calls : target, property);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

function frozenChanges(store: Store): Store {
  const claim: Store['claim'] = async (request) => {
    const claimed = await store.claim(request);
    for (const { change } of claimed.deliveries) deepFrozen(change);
    return claimed;
  };
  return storeWith(store, { claim });
}
