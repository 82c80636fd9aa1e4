/** A source on the embedded API server, a store in memory and a clock that the test moves: for the tests of src/source. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import type { Change } from '../change.ts';
import { EVERYTHING } from '../interest.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Store } from '../store/store.ts';
import { type ApiServer, type ApiServerOptions, startApiServer } from './api-server.ts';
import { FakeClock } from './fake-clock.ts';
import { logInto, type LoggedLine } from './log-into.ts';
import { createApiClient } from '../source/api-client.ts';
import type { ApiClient, Query } from '../source/api.ts';
import { Discovery } from '../source/discovery.ts';
import { createSource, type SourceOptions } from '../source/kubernetes-source.ts';
import { createRedactor } from '../source/redact.ts';
import type { Source, WatchRequest } from '../source/source.ts';
import { PATIENCE_MS } from './waiters.ts';

export interface TestSource {
  readonly server: ApiServer;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly metrics: Metrics;
  /** Lists and watches in the order they were sent, with the clock's time. */
  readonly streamRequests: readonly StreamRequest[];
  readonly logged: readonly LoggedLine[];
  /** The running source. */
  source(): Source;
  /** Starts a source, by default watching, and for ConfigMaps. */
  start(options?: StartOptions): Promise<Source>;
  /** Stops it: the next start is a new process on the same store. */
  stop(): Promise<void>;
  /** Lets time and everything else go on until the condition holds. Rejects if it never does. */
  until(condition: () => boolean | Promise<boolean>, description: string): Promise<void>;
  /** The first `n` changes, once there are that many. */
  changes(n: number): Promise<readonly Change[]>;
  /** All changes, once everything that has happened until now was seen. */
  changesSoFar(): Promise<readonly Change[]>;
}

export interface StreamRequest {
  readonly watch: boolean;
  readonly path: string;
  readonly query: Query;
  readonly atMs: number;
}

export type StartOptions = Partial<Omit<SourceOptions, 'requests'>> & {
  readonly requests?: readonly Partial<WatchRequest>[];
  /** Whether to wait until every scope is watching or degraded. Default true. */
  readonly settle?: boolean;
};

const CONFIG_MAPS: WatchRequest = {
  kind: 'configmap',
  apiVersion: undefined,
  namespace: '',
  labelSelector: '',
  fieldSelector: '',
  chains: ['default'],
  interest: EVERYTHING,
  at: 'config.toml:1',
};
export const REDACTION_KEY = Buffer.alloc(32, 7);
/** Far less than any watchdog's limit, so that waiting for real I/O cannot trigger one. */
const STEP_MS = 50;

export function configMap(name: string, data: Record<string, string> = {}, more: object = {}) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop', ...more }, data };
}

/** A kind that a cluster may serve or not. */
export const WIDGETS = { group: 'example.com', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true };
export const widget = (name: string) => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name, namespace: 'shop' },
});

export async function startTestSource(test: TestContext, options: ApiServerOptions = {}): Promise<TestSource> {
  const server = await startApiServer(options);
  const store = await openSqliteStore({ path: ':memory:', cluster: { id: 'test', name: 'test' } });
  const clock = new FakeClock();
  const streamRequests: StreamRequest[] = [];
  const logged: LoggedLine[] = [];
  const api = recording(clientOf(server), clock, streamRequests);
  let source: Source | undefined;
  const metrics = createMetrics(() => source?.health() ?? []);

  const stop = async () => {
    await source?.stop();
    source = undefined;
  };
  test.after(async () => {
    await stop();
    await api.close();
    await server.close();
    await store.close();
  });

  const until: TestSource['until'] = async (condition, description) => {
    const deadline = performance.now() + PATIENCE_MS;
    while (!(await condition())) {
      if (performance.now() > deadline)
        throw new Error(`Waited in vain for ${description}: ${JSON.stringify(logged.slice(-5))}`);
      await clock.advance(STEP_MS);
      await nextTurn();
    }
  };
  const history = () => store.history({ limit: 1_000 });
  return {
    server,
    store,
    clock,
    metrics,
    streamRequests,
    logged,
    until,
    stop,
    source: () => source ?? raise('no source runs'),
    async start({ requests = [{}], settle = true, ...others }: StartOptions = {}) {
      const started = createSource({
        api,
        discovery: new Discovery(api, { clock }),
        store,
        requests: requests.map((request) => ({ ...CONFIG_MAPS, ...request })),
        redactor: createRedactor({ envNames: ['PASSWORD'], paths: [] }, REDACTION_KEY),
        whileAway: 'each',
        existing: 'silent',
        identityIsCertain: true,
        isSameCluster: () => Promise.resolve(true),
        clock,
        maxSilenceMs: undefined,
        log: logInto((line) => logged.push(line)),
        metrics,
        onAccepted: () => {},
        random: () => 0.5,
        ...others,
      });
      source = started;
      await started.start();
      let isSettled = !settle;
      void started.settled().then(() => (isSettled = true));
      await until(() => isSettled, 'the source to settle');
      return started;
    },
    async changes(n) {
      await until(async () => (await history()).length >= n, `${n} changes`);
      return (await history()).slice(0, n);
    },
    async changesSoFar() {
      const marker = `marker-${streamRequests.length}-${clock.monotonic()}`;
      server.create(configMap(marker));
      await until(async () => (await history()).some(({ name }) => name === marker), 'the marker');
      return (await history()).filter(({ name }) => !name.startsWith('marker-'));
    },
  };
}

/** A client without credentials. */
export function clientOf(server: Pick<ApiServer, 'url'>): ApiClient {
  return createApiClient({
    server: new URL(server.url),
    clusterName: 'embedded',
    namespace: undefined,
    caFingerprint: '',
    proxy: undefined,
    warnings: [],
    headers: () => Promise.resolve({}),
    tls: () => Promise.resolve(NO_TLS),
    refresh: () => {},
    close: () => {},
  });
}

/** Always the same object: a new one would count as new credentials and get a new agent. */
const NO_TLS = {};

function recording(api: ApiClient, clock: FakeClock, streamRequests: StreamRequest[]): ApiClient {
  return {
    host: api.host,
    request: (method, path, options) => api.request(method, path, options),
    stream: (path, query, signal) => {
      streamRequests.push({ watch: query['watch'] === true, path, query, atMs: clock.monotonic() });
      return api.stream(path, query, signal);
    },
    close: () => api.close(),
  };
}

function raise(problem: string): never {
  throw new Error(problem);
}

export const lists = ({ streamRequests }: TestSource) => streamRequests.filter(({ watch }) => !watch);
export const watches = ({ streamRequests }: TestSource) => streamRequests.filter(({ watch }) => watch);

export const actions = (changes: readonly { action: string; name: string }[]) =>
  changes.map(({ action, name }) => `${action} ${name}`);
