/**
 * Which kinds a cluster serves, read from its discovery documents: the aggregated ones (two requests, Kubernetes 1.26 and later),
 * or one per group and version if the server answers with the older lists.
 */
import { z } from 'zod';
import { apiVersionOf } from '../change.ts';
import { toError } from '../errors.ts';
import type { ApiClient } from './api.ts';
import { describeResponse } from './failure.ts';
import type { Resource } from './source.ts';

/** Stands for every group except core if not even their names could be read. */
export const UNREAD_GROUPS = '*';

export interface ServedKinds {
  /** Only kinds that can be listed and watched. Within a group the preferred version comes first. */
  readonly resources: readonly Resource[];
  /** Served kinds that cannot be both listed and watched. */
  readonly unwatched: readonly Resource[];
  /** Group versions that the server answers for, such as `apps/v1` and `v1`. */
  readonly groupVersions: ReadonlySet<string>;
  /** Groups that could not be read now, and why: what they serve is unknown. May hold {@link UNREAD_GROUPS}. */
  readonly unknown: ReadonlyMap<string, string>;
}

const ACCEPT = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  'application/json',
].join(',');

const names = z.array(z.string()).nullish();
const aggregatedList = z.object({
  kind: z.literal('APIGroupDiscoveryList'),
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string().optional() }).nullish(),
      versions: z.array(
        z.object({
          version: z.string(),
          freshness: z.string().optional(),
          resources: z
            .array(
              z.object({
                resource: z.string(),
                responseKind: z.object({ kind: z.string() }).nullish(),
                scope: z.string(),
                singularResource: z.string().optional(),
                verbs: names,
                shortNames: names,
              }),
            )
            .nullish(),
        }),
      ),
    }),
  ),
});
const groupVersionList = z.union([
  z.object({ kind: z.literal('APIVersions'), versions: z.array(z.string()) }),
  z.object({
    kind: z.literal('APIGroupList'),
    groups: z.array(
      z.object({
        name: z.string(),
        versions: z.array(z.object({ version: z.string() })),
        preferredVersion: z.object({ version: z.string() }).nullish(),
      }),
    ),
  }),
]);
const resourceList = z.object({
  resources: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      namespaced: z.boolean(),
      singularName: z.string().optional(),
      verbs: names,
      shortNames: names,
    }),
  ),
});

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

/** Filled while the documents are read. */
interface Found {
  readonly resources: Resource[];
  readonly groupVersions: Set<string>;
  readonly unknown: Map<string, string>;
}

/** Fetches the JSON at a path of the API server. */
type Get = (path: string) => Promise<unknown>;

/** Never throws: what cannot be read, even because of an abort, is in `unknown`. */
export async function readServedKinds(api: ApiClient, signal?: AbortSignal): Promise<ServedKinds> {
  const get: Get = (path) => getJson(api, path, signal);
  const found: Found = { resources: [], groupVersions: new Set(), unknown: new Map() };
  // One after the other, so that the core group comes first.
  await readRoot(get, '/api', found);
  await readRoot(get, '/apis', found);
  return servedOf(found);
}

/** What OpenShift 3 serves beside the kinds of Kubernetes; nothing on other clusters. Never throws. */
export async function readOpenShift3Kinds(api: ApiClient, signal?: AbortSignal): Promise<ServedKinds> {
  const found: Found = { resources: [], groupVersions: new Set(), unknown: new Map() };
  try {
    const { resources } = resourceList.parse(await getJson(api, '/oapi/v1', signal));
    addResources(resources, { group: '', version: 'v1' }, found, '/oapi');
  } catch {
    // No OpenShift 3.
  }
  return servedOf(found);
}

function servedOf(found: Found): ServedKinds {
  const { resources } = found;
  return {
    ...found,
    resources: resources.filter(isWatched),
    unwatched: resources.filter((entry) => !isWatched(entry)),
  };
}

function isWatched({ verbs }: Resource): boolean {
  return verbs.includes('list') && verbs.includes('watch');
}

async function readRoot(get: Get, path: '/api' | '/apis', found: Found): Promise<void> {
  try {
    const document = await get(path);
    const aggregated = aggregatedList.safeParse(document);
    if (aggregated.success) return addAggregated(aggregated.data, found);
    for (const groupVersion of groupVersionsOf(groupVersionList.parse(document))) {
      await readGroupVersion(get, groupVersion, found);
    }
  } catch (thrown) {
    found.unknown.set(path === '/api' ? '' : UNREAD_GROUPS, reasonOf(thrown));
  }
}

function addAggregated({ items }: z.output<typeof aggregatedList>, found: Found): void {
  for (const { metadata, versions } of items) {
    const group = metadata?.name ?? '';
    for (const { version, freshness, resources } of versions) {
      found.groupVersions.add(apiVersionOf({ group, version }));
      // Stale: an aggregated API whose server does not answer. Its kinds may be outdated or missing.
      if (freshness === 'Stale')
        found.unknown.set(group, `the API ${apiVersionOf({ group, version })} does not answer`);
      for (const entry of resources ?? []) {
        found.resources.push({
          group,
          version,
          resource: entry.resource,
          kind: entry.responseKind?.kind ?? '',
          namespaced: entry.scope === 'Namespaced',
          shortNames: entry.shortNames ?? [],
          singular: entry.singularResource ?? '',
          verbs: entry.verbs ?? [],
        });
      }
    }
  }
}

/** The preferred version of each group first. */
function groupVersionsOf(list: z.output<typeof groupVersionList>): readonly GroupVersion[] {
  if (list.kind === 'APIVersions') return list.versions.map((version) => ({ group: '', version }));
  return list.groups.flatMap(({ name, versions, preferredVersion }) => {
    const preferred = versions.filter(({ version }) => version === preferredVersion?.version);
    const others = versions.filter(({ version }) => version !== preferredVersion?.version);
    return [...preferred, ...others].map(({ version }) => ({ group: name, version }));
  });
}

async function readGroupVersion(get: Get, groupVersion: GroupVersion, found: Found): Promise<void> {
  const { group, version } = groupVersion;
  found.groupVersions.add(apiVersionOf(groupVersion));
  try {
    const path = `${group === '' ? '/api' : '/apis'}/${apiVersionOf({ group, version })}`;
    addResources(resourceList.parse(await get(path)).resources, groupVersion, found);
  } catch (thrown) {
    found.unknown.set(group, reasonOf(thrown));
  }
}

function addResources(
  resources: z.output<typeof resourceList>['resources'],
  groupVersion: GroupVersion,
  found: Found,
  root?: '/oapi',
): void {
  for (const entry of resources) {
    // A subresource, such as `deployments/scale`.
    if (entry.name.includes('/')) continue;
    const { name: resource, kind, namespaced, shortNames, singularName, verbs } = entry;
    found.resources.push({
      ...groupVersion,
      resource,
      kind,
      namespaced,
      shortNames: shortNames ?? [],
      singular: singularName ?? '',
      verbs: verbs ?? [],
      ...(root === undefined ? {} : { root }),
    });
  }
}

async function getJson(api: ApiClient, path: string, signal: AbortSignal | undefined): Promise<unknown> {
  const options = { accept: ACCEPT, ...(signal === undefined ? {} : { signal }) };
  const response = await api.request('GET', path, options);
  if (response.status !== 200) throw new Error(`Cannot GET ${path} on ${api.host}: ${describeResponse(response)}`);
  return JSON.parse(response.body.toString('utf8'));
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof z.ZodError || thrown instanceof SyntaxError
    ? 'a discovery document cannot be parsed'
    : toError(thrown).message;
}
