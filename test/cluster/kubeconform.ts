/** Runs kubeconform with the schemas that an API server publishes: nothing is fetched from elsewhere. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ControlPlane } from './control-plane.ts';
import type { Manifest } from './helm.ts';
import { until } from '../until.ts';

interface Schema {
  readonly 'x-kubernetes-group-version-kind'?: readonly GroupVersionKind[];
  readonly [keyword: string]: unknown;
}

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The schema file of a resource, in kubeconform's template syntax. */
const LOCATION = '{{ .Group }}_{{ .ResourceAPIVersion }}_{{ .ResourceKind }}.json';

/** What kubeconform finds wrong with the manifests: `Kind/name: message`. */
export async function kubeconform(plane: ControlPlane, manifests: readonly Manifest[]): Promise<readonly string[]> {
  const folder = plane.file('schemas');
  await mkdir(folder, { recursive: true });
  for (const apiVersion of new Set(manifests.map((one) => one.apiVersion)))
    await writeSchemas(plane, apiVersion, folder);
  const file = plane.file('manifests.json');
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }));
  const args = ['-strict', '-verbose', '-output', 'json', '-schema-location', path.join(folder, LOCATION), file];
  const run = promisify(execFile)(plane.program('kubeconform'), args, { maxBuffer: 64 * 1024 * 1024 });
  // It exits with 1 if it finds something.
  const { stdout } = await run.catch((error: { readonly stdout: string }) => error);
  const { resources } = JSON.parse(stdout) as {
    readonly resources: readonly { kind: string; name: string; status: string; msg: string }[];
  };
  if (resources.length !== manifests.length)
    throw new Error(`kubeconform saw ${resources.length} of ${manifests.length}`);
  return resources
    .filter(({ status }) => status !== 'statusValid')
    .map(({ kind, name, msg, status }) => `${kind}/${name}: ${msg || status}`);
}

/** A self-contained file for each kind of a version. */
async function writeSchemas(plane: ControlPlane, apiVersion: string, folder: string): Promise<void> {
  const document = apiVersion.includes('/') ? `/openapi/v3/apis/${apiVersion}` : `/openapi/v3/api/${apiVersion}`;
  let text = '';
  // The schema of a CustomResourceDefinition is published a little after it is established.
  await until(`${document} is published`, async () => {
    text = await plane.kubectl('get', '--raw', document).catch(() => '');
    return text !== '';
  });
  const { components } = JSON.parse(text) as { components: { schemas: Readonly<Record<string, Schema>> } };
  const schemas = Object.fromEntries(Object.entries(components.schemas).map(([name, one]) => [name, strict(one)]));
  for (const [name, schema] of Object.entries(components.schemas)) {
    for (const { group, version, kind } of schema['x-kubernetes-group-version-kind'] ?? []) {
      if (`${group === '' ? '' : `${group}/`}${version}` !== apiVersion) continue;
      const file = path.join(folder, `${group === '' ? version : group}_${version}_${kind.toLowerCase()}.json`);
      await writeFile(file, JSON.stringify({ $ref: `#/components/schemas/${name}`, components: { schemas } }));
    }
  }
}

/** The API server's schemas allow unknown fields, which the server itself checks. */
function strict<T>(value: T): T {
  if (Array.isArray(value)) return value.map(strict) as T;
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, strict(inner)]));
  const isClosed =
    'properties' in copy && !('additionalProperties' in copy) && copy['x-kubernetes-preserve-unknown-fields'] !== true;
  return (isClosed ? { ...copy, additionalProperties: false } : copy) as T;
}
