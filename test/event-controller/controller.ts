/** Shared by the tests of the Event Controller's acceptance list, whose numbers they use. */
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { PATIENCE_MS } from '../../src/testing/waiters.ts';
import { createApp, type App } from '../../src/app.ts';
import { loadHandler } from '../../src/chain/load.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
import type { Clock } from '../../src/clock.ts';
import { NO_FILE } from '../../src/config/adapters/adapter.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { LogLevel } from '../../src/log.ts';
import { createLogger } from '../../src/log.ts';
import { startApiServer, type ApiServer, type ApiServerOptions } from '../../src/testing/api-server.ts';
import { Workdir } from '../e2e/program.ts';

export const PLUGINS = new URL('./plugins', import.meta.url).pathname;

export const ROUTES = {
  group: 'route.openshift.io',
  version: 'v1',
  resource: 'routes',
  kind: 'Route',
  namespaced: true,
} as const;
/** As in OpenShift 3. */
export const LEGACY_ROUTES = { ...ROUTES, group: '', root: '/oapi' } as const;

export function route(name: string, namespace = 'demo', apiVersion = 'route.openshift.io/v1'): object {
  return { apiVersion, kind: 'Route', metadata: { name, namespace }, spec: { host: `${name}.apps.example` } };
}

export interface Given {
  readonly env?: NodeJS.ProcessEnv;
  /** The text of an ini file; default: none. */
  readonly ini?: string;
  /** Where the files of a pod are; default: nowhere. */
  readonly serviceAccountDir?: string;
}

/** Loads a configuration of the Event Controller. */
export async function load({ env = {}, ini, serviceAccountDir = '/nonexistent' }: Given): Promise<Config> {
  await using workdir = await Workdir.make();
  const file = ini === undefined ? NO_FILE : await workdir.write('config.ini', ini);
  return await loadConfig(file, { env, loadHandler, tool: 'event-controller', serviceAccountDir });
}

/** A cluster with a token, and the environment of a controller for it. */
export async function startCluster(t: TestContext, options: ApiServerOptions = {}) {
  const server = await startApiServer({ resources: [ROUTES], token: 's3cr3t-token', ...options });
  t.after(() => server.close());
  return { server, env: environmentFor(server) };
}

export function environmentFor(server: ApiServer): NodeJS.ProcessEnv {
  return {
    K8S_API_ENDPOINT: server.url,
    K8S_TOKEN: 's3cr3t-token',
    K8S_NAMESPACE: 'demo',
    K8S_RESOURCE: 'routes',
    PYTHONPATH: PLUGINS,
  };
}

export interface Controller {
  readonly app: App;
  /** Each line of the log, without timestamps. */
  lines(): string[];
  /** Resolves with the first line that matches the pattern. Rejects after 20 s. */
  line(pattern: RegExp): Promise<string>;
}

/** Starts the service in this process, until the test ends. `state` is kept. */
export async function start(
  t: TestContext,
  given: Given & { readonly state?: string; readonly clock?: Clock },
): Promise<Controller> {
  const config = await load(given);
  const out = new PassThrough();
  let written = '';
  out.setEncoding('utf8').on('data', (chunk: string) => (written += chunk));
  const level: LogLevel = config.log.level ?? 'info';
  const log = createLogger({ level, format: 'python', color: false, stream: out });
  for (const warning of config.warnings)
    log.warn('A part of the configuration may not do what it seems to', { warning });
  // Plug-ins inherit the environment of the process.
  const pythonPath = process.env['PYTHONPATH'];
  process.env['PYTHONPATH'] = given.env?.['PYTHONPATH'] ?? '';
  const app = createApp({
    config: given.state === undefined ? config : { ...config, state: { path: given.state, name: 'ec' } },
    env: given.env ?? {},
    log,
    stdout: new PassThrough(),
    ...(given.clock === undefined ? {} : { clock: given.clock }),
    ...(given.state === undefined ? { storeFile: ':memory:' as const } : {}),
  });
  t.after(() => app.stop());
  const lines = () =>
    written
      .split('\n')
      .filter(Boolean)
      .map((line) => line.slice('2026-11-20 23:42:03,123 '.length));
  try {
    await app.start();
  } finally {
    if (pythonPath === undefined) delete process.env['PYTHONPATH'];
    else process.env['PYTHONPATH'] = pythonPath;
  }
  return {
    app,
    lines,
    async line(pattern) {
      const deadline = AbortSignal.timeout(PATIENCE_MS);
      for (;;) {
        const found = lines().find((one) => pattern.test(one));
        if (found !== undefined) return found;
        if (deadline.aborted) throw new Error(`No line ${pattern.source} in:\n${written}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

/** Runs `watchchain --compat event-controller ARGS`, if it ends by itself. */
export async function command(env: NodeJS.ProcessEnv, ...args: string[]): Promise<{ code: number; stderr: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough().resume(), new PassThrough()];
  const argv = ['--compat', 'event-controller', ...args];
  const code = await runCommandLine({ argv, env, stdin, stdout, stderr, signal: AbortSignal.timeout(PATIENCE_MS) });
  stderr.end();
  return { code, stderr: await text(stderr) };
}
