/** Shared by the tests of kubernetes-event-exporter's acceptance list, whose numbers they use. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { runCommandLine } from '../../src/cli/command-line.ts';
import type { Manifest } from '../../src/change.ts';
import { loadHandler } from '../../src/chain/load.ts';
import type { ChainConfig, Config } from '../../src/config/config.ts';
import { loadConfig, type LoadOptions } from '../../src/config/load.ts';
import { codeOf, type ConfigError } from '../../src/errors.ts';
import { Workdir } from '../e2e/program.ts';
import type { Running, RunOptions, World } from '../e2e/world.ts';

/** The Giant Swarm app's test Event: no timestamps, no source, no uid of the involved object. */
export const SEED_EVENT = {
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'test', namespace: 'default' },
  message: 'Manually added event for testing.',
  reason: 'ClusterIsUpdating',
  type: 'Normal',
  involvedObject: { apiVersion: 'cluster.x-k8s.io/v1alpha3', kind: 'Cluster', name: '7b3kj', namespace: 'default' },
};

export interface EventParts {
  readonly name?: string;
  readonly namespace?: string;
  readonly [field: string]: unknown;
}

/** An Event of a pod, as reported by the kubelet just now. */
export function podEvent({ name = 'web.1', namespace = 'default', ...more }: EventParts = {}): object {
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name: 'web' },
    reason: 'BackOff',
    type: 'Warning',
    message: 'Back-off restarting failed container',
    source: { component: 'kubelet', host: 'n1' },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
    ...more,
  };
}

export function pod(name: string, metadata: object = {}): Manifest {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', ...metadata }, spec: {} };
}

/** A configuration with one receiver `hook` that gets every Event unless another route is given. */
export function toHook(
  url: string,
  { route = 'route: { routes: [{ match: [{ receiver: hook }] }] }', more = '', layout = '' } = {},
): string {
  return `${route}\nreceivers:\n  - name: hook\n    webhook:\n      endpoint: ${url}/hook\n${layout}${more}`;
}

/** Runs the app in this process with a configuration of kubernetes-event-exporter. */
export function run(world: World, config: string, options: RunOptions = {}): Promise<Running> {
  return world.run({ file: 'config.yaml', config, ...options });
}

/** The configuration read from a kubernetes-event-exporter file. */
export async function load(yaml: string, options: Partial<LoadOptions> = {}): Promise<Config> {
  await using workdir = await Workdir.make();
  const file = await workdir.write('config.yaml', yaml);
  return await loadConfig(file, { env: {}, loadHandler, ...options });
}

/** The problems of a kubernetes-event-exporter file, without the file's folder. */
export async function problemsOf(yaml: string, options: Partial<LoadOptions> = {}): Promise<readonly string[]> {
  try {
    await load(yaml, options);
    return [];
  } catch (thrown) {
    if (codeOf(thrown) !== 'CONFIG') throw thrown;
    return (thrown as ConfigError).problems.map(withoutFolder);
  }
}

export function withoutFolder(line: string): string {
  return line.replace(/\S*\/(?=config\.yaml)/, '');
}

/** The TOML that `import` prints: for settings that kubernetes-event-exporter's file does not have. */
export async function imported(yaml: string): Promise<string> {
  await using workdir = await Workdir.make();
  const file = await workdir.write('their.yaml', yaml);
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const { signal } = new AbortController();
  const code = await runCommandLine({ argv: ['import', file], env: {}, stdin, stdout, stderr, signal });
  stdout.end();
  stderr.end();
  assert.equal(code, 0, await text(stderr));
  return text(stdout);
}

/** The received bodies, as JSON. */
export function bodies(world: World): Record<string, unknown>[] {
  return world.slack.requests.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
}

/** `branch: match involvedKind, webhook`, branches indented. */
export function shape({ name, handlers, branches }: ChainConfig, indent = ''): string[] {
  return [
    `${indent}${name.split('/').at(-1)}: ${handlers.map(({ definition }) => definition.name).join(', ')}`,
    ...branches.flatMap((branch) => shape(branch, `${indent}  `)),
  ];
}
