/** Discovery documents, aggregated and not. */
import { apiVersionOf } from '../../change.ts';
import type { ServedType } from './resource-types.ts';
import { StatusError } from './status.ts';

export const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

const APIS_OF_REQUESTS = 'authorization.k8s.io';

/** `/apis`. */
export function groupList(types: readonly ServedType[]): object {
  const groups = [...groupsOf(types)].filter(([group]) => group !== '');
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.map(([name, versions]) => groupEntry(name, versions)),
  };
}

/** `/apis/GROUP`. */
export function group(types: readonly ServedType[], name: string): object {
  const versions = groupsOf(types).get(name);
  if (versions === undefined) throw notServed(types, name);
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(name, versions) };
}

function groupEntry(name: string, versions: readonly string[]): object {
  const entries = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: entries, preferredVersion: entries[0] };
}

/** Group to versions, the preferred one first: core, then in the order in which kinds were added. */
function groupsOf(types: readonly ServedType[]): Map<string, readonly string[]> {
  const groups = new Map<string, readonly string[]>([
    ['', ['v1']],
    [APIS_OF_REQUESTS, ['v1']],
  ]);
  for (const { group, version } of types) {
    const versions = groups.get(group) ?? [];
    if (!versions.includes(version)) groups.set(group, [...versions, version]);
  }
  return groups;
}

/** The 404 for a path: a `Status` below a built-in group, else, as for a CRD that is not installed, the text of Go's mux. */
export function notServed(types: readonly ServedType[], groupName: string): StatusError {
  const isBuiltIn = types.some(({ group, custom }) => group === groupName && !custom);
  return new StatusError(404, isBuiltIn ? {} : { plainText: '404 page not found\n' });
}

/** `/api/v1`, `/apis/GROUP/VERSION`. */
export function resourceList(types: readonly ServedType[], groupName: string, version: string): object {
  const served = types.filter((type) => type.group === groupName && type.version === version);
  if (served.length === 0 && groupName !== APIS_OF_REQUESTS) throw notServed(types, groupName);
  if (served.some(({ unavailable }) => unavailable)) throw new StatusError(503);
  const groupVersion = apiVersionOf({ group: groupName, version });
  const resources = served.flatMap((type) => [
    {
      name: type.resource,
      singularName: type.singular,
      namespaced: type.namespaced,
      kind: type.kind,
      verbs: type.verbs,
      ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
    },
    ...type.subresources.map((subresource) => ({
      name: `${type.resource}/${subresource}`,
      singularName: '',
      namespaced: type.namespaced,
      kind: subresource === 'scale' ? 'Scale' : type.kind,
      verbs: verbsOf(subresource),
    })),
  ]);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources };
}

/** `/api` or `/apis` as one document with everything in it. */
export function aggregated(types: readonly ServedType[], core: boolean): object {
  const groups = [...groupsOf(types)].filter(([name]) => (name === '') === core);
  const items = groups.map(([name, versions]) => ({
    metadata: { ...(name === '' ? {} : { name }), creationTimestamp: null },
    versions: versions.map((version) => {
      const served = types.filter((type) => type.group === name && type.version === version);
      return served.some(({ unavailable }) => unavailable)
        ? { version, freshness: 'Stale' }
        : { version, resources: served.map(aggregatedResource), freshness: 'Current' };
    }),
  }));
  return { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items };
}

function aggregatedResource(type: ServedType): object {
  // For a built-in kind of the same group version, the server leaves both out.
  const [group, version] = type.custom ? [type.group, type.version] : ['', ''];
  const { kind } = type;
  return {
    resource: type.resource,
    responseKind: { group, version, kind },
    scope: type.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: type.singular,
    verbs: type.verbs,
    ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
    subresources: type.subresources.map((subresource) => ({
      subresource,
      responseKind:
        subresource === 'scale' ? { group: 'autoscaling', version: 'v1', kind: 'Scale' } : { group, version, kind },
      verbs: verbsOf(subresource),
    })),
  };
}

const verbsOf = (subresource: string): string[] => (subresource === 'log' ? ['get'] : ['get', 'patch', 'update']);
