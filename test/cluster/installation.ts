/** The chart's release `prod` in `monitoring`, and its pods as local processes: same command, file, variables and account. */
import assert from 'node:assert/strict';
import { MountedVolume } from '../../src/testing/mounted-volume.ts';
import { Program, type Workdir } from '../e2e/program.ts';
import type { ControlPlane } from './control-plane.ts';
import { rendered, type Container, type Manifest, type PodSpec, type StatefulSet } from './helm.ts';

const NAME = 'prod-watchchain';
/** The account of its processes in the cluster. */
export const ACCOUNT = `system:serviceaccount:monitoring:${NAME}`;

/** Applies what helm renders, as `helm install` would. */
export async function apply(plane: ControlPlane, values: object): Promise<readonly Manifest[]> {
  await plane.kubectl('create', 'namespace', 'monitoring');
  const manifests = await rendered(values);
  await plane.apply(manifests);
  return manifests;
}

/** An object of the release, as installed now. */
async function manifest(plane: ControlPlane, kind: string, name: string): Promise<Manifest> {
  return JSON.parse(await plane.kubectl('get', kind, name, '-n', 'monitoring', '-o', 'json')) as Manifest;
}

/** The files of the mounted configuration, as the kubelet reads them from a ConfigMap or a Secret. */
export async function mountedFiles(plane: ControlPlane): Promise<Readonly<Record<string, string>>> {
  const { volumes = [] } = await podSpec(plane);
  const { configMap, secret } = volumes.find(({ name }) => name === 'config') ?? {};
  if (secret === undefined) {
    const { data } = await manifest(plane, 'configmap', configMap?.name ?? '');
    return data as Readonly<Record<string, string>>;
  }
  return secretValues(plane, secret.secretName);
}

async function secretValues(plane: ControlPlane, name: string): Promise<Readonly<Record<string, string>>> {
  const { data } = (await manifest(plane, 'secret', name)) as unknown as { data: Record<string, string> };
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}

async function podSpec(plane: ControlPlane): Promise<PodSpec> {
  const set = (await manifest(plane, 'statefulset', NAME)) as unknown as StatefulSet;
  return set.spec.template.spec;
}

export interface Pod {
  readonly volume: MountedVolume;
  readonly kubeconfig: string;
  readonly env: NodeJS.ProcessEnv;
  /** The arguments, with local paths for the volume and the state. */
  here(args: readonly string[]): readonly string[];
  /** Starts its container, as defined in the StatefulSet. */
  start(): Promise<Program>;
}

/** Provides what the pod has: the ConfigMap's file, the Secret's variables, the account's token, and a state that outlives it. */
export async function runAsPod(plane: ControlPlane, workdir: Workdir): Promise<Pod> {
  const container = async () => (await podSpec(plane)).containers[0];
  const volume = await MountedVolume.mount(workdir.file('etc'), await mountedFiles(plane));
  const token = (await plane.kubectl('create', 'token', NAME, '-n', 'monitoring')).trim();
  const { kubeconfig } = await plane.access('service-account', token);
  const env = await variables(plane, await container());
  const here = (args: readonly string[]) => [
    ...args.map((arg) =>
      arg
        .replace('/etc/watchchain', workdir.file('etc'))
        .replace('/var/lib/watchchain', workdir.file('state'))
        .replace('--listen=:8080', '--listen=127.0.0.1:0'),
    ),
    '--kubeconfig',
    kubeconfig,
  ];
  const start = async () => new Program(here((await container()).args), { cwd: workdir.path, env });
  return { volume, kubeconfig, env, here, start };
}

async function variables(plane: ControlPlane, { env = [] }: Container): Promise<NodeJS.ProcessEnv> {
  const read = env.map(async ({ name, value = '', valueFrom }) => {
    if (valueFrom === undefined) return [name, value];
    const { name: secret, key } = valueFrom.secretKeyRef;
    return [name, (await secretValues(plane, secret))[key] ?? ''];
  });
  return Object.fromEntries(await Promise.all(read)) as Record<string, string>;
}

/** Fails if the API server refused its account anything. */
export async function neverRefused(plane: ControlPlane): Promise<void> {
  const requests = await plane.requestsOf(ACCOUNT);
  assert.ok(requests.length > 0);
  assert.deepEqual(
    requests.filter(({ code }) => code === 401 || code === 403),
    [],
  );
}
