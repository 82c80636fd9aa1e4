/** OpenShift's Pod Watcher: the program with its environment, and its endpoints. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { createApp, type App } from '../../src/app.ts';
import { loadHandler } from '../../src/chain/load.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createLogger } from '../../src/log.ts';
import { startApiServer, type ApiServer, type ApiServerOptions } from '../../src/testing/api-server.ts';
import { podOf, RUNNING, terminated, waiting, type PodParts } from '../../src/testing/failing-pods.ts';
import { until } from '../until.ts';

export const TOKEN = 'sha256~a-token-of-openshift';

export interface Entry {
  readonly id: string;
  readonly alertStatus: string;
  readonly podName: string;
  readonly podLongName: string;
  readonly restarts: readonly string[];
  readonly currentRestarts: number;
  readonly totalRestartCount: number;
  readonly Events?: readonly { readonly reason: string; readonly localizedTime: string }[];
}

export interface Status {
  readonly config: Readonly<Record<string, unknown>>;
  readonly namespaces: readonly {
    readonly namespace: string;
    readonly pods: readonly Entry[];
    readonly watch?: string;
    readonly lastHeardAt?: string;
  }[];
}

/** Replaces the fixed path of the mounted token, which all tests would share; another test checks that path. */
function withTokenFile(config: Config, tokenFile: string): Config {
  const { direct } = config.cluster;
  assert.ok(direct);
  return { ...config, cluster: { ...config.cluster, direct: { ...direct, token: undefined, tokenFile } } };
}

export class Watcher {
  readonly server: ApiServer;
  readonly app: App;
  readonly #log: () => string;

  private constructor(server: ApiServer, app: App, log: () => string) {
    this.server = server;
    this.app = app;
    this.#log = log;
  }

  static async start(t: TestContext, env: NodeJS.ProcessEnv = {}, cluster: ApiServerOptions = {}): Promise<Watcher> {
    const server = await startApiServer({ token: TOKEN, ...cluster });
    t.after(() => server.close());
    return Watcher.beside(t, server, env);
  }

  /** Starts another one on the same cluster. */
  static async beside(
    t: TestContext,
    server: ApiServer,
    env: NodeJS.ProcessEnv = {},
    mounted: { readonly tokenFile?: string } = {},
  ): Promise<Watcher> {
    const all = { OPENSHIFT_HOST: server.url, OPENSHIFT_TOKEN: TOKEN, ...env };
    const loaded = await loadConfig('environment', { env: all, tool: 'pod-watcher', loadHandler });
    const config = mounted.tokenFile === undefined ? loaded : withTokenFile(loaded, mounted.tokenFile);
    const stream = new PassThrough();
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const log = createLogger({ level: 'debug', format: 'json', color: false, stream });
    const inMemory = env['PODMONITOR_FILEPATH'] === undefined ? { storeFile: ':memory:' as const } : {};
    const app = createApp({ config, log, env: {}, stdout: stream, listen: '127.0.0.1:0', ...inMemory });
    t.after(() => app.stop(0));
    await app.start();
    await app.idle();
    return new Watcher(server, app, () => text);
  }

  get log(): string {
    return this.#log();
  }

  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://${this.app.listening}${path}`, init);
  }

  async get<T>(path: string): Promise<T> {
    return (await (await this.fetch(path)).json()) as T;
  }

  status(): Promise<Status> {
    return this.get('/status');
  }

  alerts(query = ''): Promise<readonly Entry[]> {
    return this.get(`/pod-restart-alerts${query}`);
  }

  acknowledge(ids: readonly string[]): Promise<Response> {
    const headers = { 'content-type': 'application/json', 'x-watchchain': 'test' };
    return this.fetch('/api/alerts/ack', { method: 'POST', headers, body: JSON.stringify({ ids }) });
  }

  /** What `/status` reports for the pods of a namespace: `web-x/web Failure 3`. */
  async lines(namespace = 'shop'): Promise<readonly string[]> {
    const { namespaces } = await this.status();
    const { pods = [] } = namespaces.find((one) => one.namespace === namespace) ?? {};
    return pods.map((pod) => `${pod.podLongName}/${pod.podName} ${pod.alertStatus} ${pod.currentRestarts}`);
  }

  /** Waits until the lines are as expected. */
  async until(expected: readonly string[], namespace = 'shop'): Promise<void> {
    const wish = JSON.stringify(expected);
    await until(wish, async () => JSON.stringify(await this.lines(namespace)) === wish);
  }

  async crash(parts: PodParts = {}): Promise<void> {
    const { name = 'web-1' } = parts;
    this.server.create(podOf({ name, containers: [RUNNING], ...parts }));
    await this.until(
      [...(await this.lines()).filter((line) => !line.startsWith(name)), `${name}/web None 0`].toSorted(),
    );
    const failing = waiting('CrashLoopBackOff', { restartCount: 2, lastState: terminated(1, 'Error') });
    this.server.update(podOf({ name, containers: [failing], ...parts }));
    await this.until(
      [...(await this.lines()).filter((line) => !line.startsWith(name)), `${name}/web Failure 2`].toSorted(),
    );
  }

  recover(name = 'web-1', restartCount = 2): void {
    this.server.update(podOf({ name, containers: [{ ...RUNNING, restartCount }] }));
  }
}

export const event = (pod: { readonly name: string; readonly uid: string }, more: object) => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: `${pod.name}.${JSON.stringify(more).length}`, namespace: 'shop' },
  involvedObject: { kind: 'Pod', namespace: 'shop', ...pod },
  type: 'Warning',
  message: 'Back-off restarting',
  ...more,
});
