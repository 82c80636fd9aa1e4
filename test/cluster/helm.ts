/** Runs helm on the chart. No cluster is needed. `make control-plane` builds helm. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parseAllDocuments } from 'yaml';
import type { ControlPlane } from './control-plane.ts';
import { programs } from './programs.ts';

export const CHART = path.resolve(import.meta.dirname, '../../chart');

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export interface HelmAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs helm; values, if any, go to its stdin. */
export async function helm(args: readonly string[], values?: object): Promise<HelmAnswer> {
  const given = values === undefined ? args : [...args, '--values', '-'];
  const child = spawn(path.join(programs('test-cluster'), 'helm'), given, {
    env: { HOME: '/nonexistent', KUBECACHEDIR: '/dev/null' },
  });
  const exit = once(child, 'close');
  child.stdin.end(JSON.stringify(values ?? {}));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await exit) as [number];
  return { code, stdout, stderr };
}

/** {@link helm} as the admin of a control plane; throws with helm's message. */
export async function helmOn(plane: ControlPlane, args: readonly string[], values?: object): Promise<void> {
  const { kubeconfig } = await plane.access();
  const { code, stdout, stderr } = await helm([...args, '--kubeconfig', kubeconfig], values);
  if (code !== 0) throw new Error(stdout + stderr);
}

/** `helm template` of the release `prod` in `monitoring`; throws with helm's message. */
export async function renderedText(values: object, ...flags: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await helm(
    ['template', 'prod', CHART, '--namespace', 'monitoring', ...flags],
    values,
  );
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** {@link renderedText}, parsed. */
export async function rendered(values: object, ...flags: readonly string[]): Promise<readonly Manifest[]> {
  return parseAllDocuments(await renderedText(values, ...flags)).flatMap((document) => {
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}

/** The mounted configuration, from its ConfigMap or its Secret. */
export function configOf(manifests: readonly Manifest[]): { readonly name: string; readonly text: string } {
  for (const { kind, data } of manifests) {
    const entries = Object.entries((data ?? {}) as Record<string, string>);
    const [name, text] = entries.find(([name]) => name.startsWith('config.')) ?? [];
    if (name === undefined || text === undefined) continue;
    return { name, text: kind === 'Secret' ? Buffer.from(text, 'base64').toString() : text };
  }
  throw new Error('The chart renders no configuration');
}

export interface StatefulSet {
  readonly spec: {
    readonly template: { readonly metadata: Manifest['metadata']; readonly spec: PodSpec };
    readonly volumeClaimTemplates?: readonly object[];
  };
}

export interface PodSpec {
  readonly securityContext?: object;
  readonly containers: readonly [Container];
  readonly volumes?: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly secret?: { readonly secretName: string };
  }[];
}

export interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
  }[];
}

export function statefulSetOf(manifests: readonly Manifest[]): StatefulSet {
  const set = manifests.find(({ kind }) => kind === 'StatefulSet');
  if (set === undefined) throw new Error('The chart renders no StatefulSet');
  return set as unknown as StatefulSet;
}
