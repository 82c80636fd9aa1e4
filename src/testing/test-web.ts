/** The web server on a store in memory and a clock that the test moves. */
import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { loadHandler } from '../chain/load.ts';
import type { Config, WebConfig } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import type { Health } from '../health.ts';
import { createLogger } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import type { ApiClient } from '../source/api.ts';
import type { ScopeHealth } from '../source/source.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Store } from '../store/store.ts';
import type { ServiceView } from '../web/service-view.ts';
import { startWeb, type Web } from '../web/server.ts';
import { temporaryFolder } from './test-folder.ts';
import { FakeClock } from './fake-clock.ts';

export const WATCHING: ScopeHealth = {
  kind: 'pod',
  resource: 'v1/pods',
  namespace: '',
  state: 'watching',
  problem: undefined,
  objects: 0,
  lastHeardAt: undefined,
};

export function healthOf(...scopes: ScopeHealth[]): Health {
  const degraded = scopes.filter(({ state }) => state === 'degraded');
  const ready = scopes.some(({ state }) => state === 'watching');
  return { ready, phase: 'running', scopes, degraded, configProblem: undefined };
}

export interface TestWebOptions {
  /** Content of the configuration file. Default: pods and `podAlerts`. */
  readonly config?: string;
  readonly settings?: Partial<WebConfig>;
  readonly health?: Health;
  readonly listen?: string;
  readonly api?: ApiClient;
  readonly service?: Partial<ServiceView>;
}

export interface WebResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface WebRequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const PODS = '[[resource]]\nkind = "pod"\n[[handler]]\nname = "podAlerts"\n';

async function configFrom(t: TestContext, toml: string): Promise<Config> {
  const file = join(await temporaryFolder(t), 'config.toml');
  await writeFile(file, toml);
  return loadConfig(file, { env: { TZ: 'UTC' }, loadHandler });
}

export class TestWeb {
  /** Undefined if the address was taken. */
  readonly address: string | undefined;
  readonly clock: FakeClock;
  readonly store: Store;
  readonly #logged: string[];
  readonly #web: Web;
  #scope: number | undefined;
  #version = 0;

  private constructor(web: Web, clock: FakeClock, store: Store, logged: string[]) {
    this.#web = web;
    this.address = web.address;
    this.clock = clock;
    this.store = store;
    this.#logged = logged;
  }

  static async start(t: TestContext, options: TestWebOptions = {}): Promise<TestWeb> {
    const config = await configFrom(t, options.config ?? PODS);
    const { settings, health = healthOf(WATCHING), listen = '127.0.0.1:0', api } = options;
    const clock = new FakeClock();
    const store = await openSqliteStore({ path: ':memory:', cluster: { id: 'c', name: 'test' }, clock });
    const stream = new PassThrough();
    const logged: string[] = [];
    stream.setEncoding('utf8').on('data', (line: string) => logged.push(line));
    const service: ServiceView = {
      log: createLogger({ level: 'info', format: 'json', color: false, stream }),
      clock,
      metrics: createMetrics(),
      health: () => health,
      receivers: () => [],
      config: () => config,
      clusterName: () => 'test',
      store: () => store,
      api: () => api,
      ...options.service,
    };
    const web = await startWeb({ listen, service, settings: { ...config.web, ...settings } });
    t.after(async () => {
      await web.close();
      await store.close();
    });
    return new TestWeb(web, clock, store, logged);
  }

  /** The service's own log so far. */
  get log(): string {
    return this.#logged.join('');
  }

  /** Host and port to connect to, wherever it listens. */
  get endpoint(): { readonly host: string; readonly port: number } {
    return { host: '127.0.0.1', port: Number(this.address?.split(':').at(-1)) };
  }

  /** Does not use fetch, which would normalize paths and headers. */
  async ask(path: string, { method = 'GET', headers = {}, body }: WebRequestOptions = {}): Promise<WebResponse> {
    const sent = request({ ...this.endpoint, path, method, headers, agent: false });
    const [response] = (await once(sent.end(body), 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
    return { status: response.statusCode ?? 0, headers: response.headers, body: text };
  }

  /** A POST as the page sends it. */
  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<WebResponse> {
    const own = { 'content-type': 'application/json', 'x-watchchain': 'test', ...headers };
    return this.ask(path, { method: 'POST', headers: own, body: JSON.stringify(body) });
  }

  /** Accepts a change of each ConfigMap `shop/NAME`, with `text` as its `data.text`. */
  async change(...changes: readonly { readonly name: string; readonly text: string }[]): Promise<void> {
    this.#scope ??= await this.#openScope();
    this.#version++;
    const observations = changes.map(({ name, text }) => ({
      type: 'seen' as const,
      key: `shop/${name}`,
      uid: `uid-${name}`,
      resourceVersion: String(this.#version),
      digest: this.#version,
      body: new TextEncoder().encode(JSON.stringify({ metadata: { name, namespace: 'shop' }, data: { text } })),
    }));
    await this.store.accept({ scope: this.#scope, observations, cursor: String(this.#version) });
  }

  stop(): Promise<void> {
    return this.#web.close();
  }

  /** Lets time and everything else go on until `ask` returns a value. */
  async until<T>(ask: () => T | undefined): Promise<T> {
    for (;;) {
      const answer = ask();
      if (answer !== undefined) return answer;
      await this.clock.advance(100);
    }
  }

  async #openScope(): Promise<number> {
    const everything = { namespace: '', labelSelector: '', fieldSelector: '' };
    const kind = { group: '', version: 'v1', kind: 'ConfigMap', resource: 'configmaps' };
    return (await this.store.openScope({ ...kind, ...everything, chains: ['default'] })).id;
  }
}
