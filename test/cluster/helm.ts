/** The chart as helm renders and judges it: no cluster is needed. `make control-plane` builds helm. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parseAllDocuments } from 'yaml';

export const CHART = path.resolve(import.meta.dirname, '../../chart');

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export interface HelmAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs helm; values go to its stdin. */
export async function helm(args: readonly string[], values: object): Promise<HelmAnswer> {
  const folder = process.env['WATCHCHAIN_CONTROL_PLANE'];
  if (folder === undefined)
    throw new Error('WATCHCHAIN_CONTROL_PLANE is not set: run these tests with `make test-cluster`');
  const child = spawn(path.join(folder, 'helm'), [...args, '--values', '-'], { env: { HOME: '/nonexistent' } });
  const exit = once(child, 'close');
  child.stdin.end(JSON.stringify(values));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await exit) as [number];
  return { code, stdout, stderr };
}

/** `helm template` of the release `prod` in `monitoring`; throws with what helm says. */
export async function rendered(values: object): Promise<readonly Manifest[]> {
  const { code, stdout, stderr } = await helm(['template', 'prod', CHART, '--namespace', 'monitoring'], values);
  if (code !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout).flatMap((document) => {
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}
