/** The rights that a configuration needs in the cluster, and no more. */
import { needOf } from '../enrich/needs.ts';
import type { ChainConfig, Config } from '../config/config.ts';
import { handlersIn } from '../config/in-chains.ts';
import { ConfigError } from '../errors.ts';
import { isEventName } from '../event.ts';
import { requestNamespaceOf, namespaceScopesOf } from '../namespaces.ts';
import { resolveBuiltIn } from '../source/built-in-kinds.ts';
import type { Discovery } from '../source/discovery.ts';
import type { Resource } from '../source/source.ts';
import { problemOf, type NamedKind } from '../source/watch-plan.ts';

/** One resource in one place, with the verbs needed. */
export interface Grant {
  readonly group: string;
  /** Its name in roles: `pods`, `pods/log`. */
  readonly resource: string;
  readonly verbs: readonly string[];
  /** `""` for all namespaces, or a cluster-scoped resource. */
  readonly namespace: string;
  /** Only the object with this name. */
  readonly name?: string;
  /** Granted by the cluster's own role `system:auth-delegator`. */
  readonly delegated?: true;
}

export interface GrantOptions {
  /** Undefined: only Kubernetes' own kinds are known. */
  readonly discovery: Pick<Discovery, 'resolve'> | undefined;
  /** Kinds of the objects that Events are about, and of their owners, which are looked up individually. */
  readonly lookupKinds: readonly string[];
  /** Where it runs: the namespace of a Lease that names none. */
  readonly namespace: string;
}

/** The uid of this namespace identifies the cluster; without this right its address does. */
export const IDENTITY: Grant = {
  group: '',
  resource: 'namespaces',
  verbs: ['get'],
  namespace: '',
  name: 'kube-system',
};

/** Creating a Lease cannot be limited to a name, which the API server does not know at that point. */
function leaseGrants({ lease }: Config, ownNamespace: string): readonly Grant[] {
  if (lease === undefined) return [];
  const leases = { group: 'coordination.k8s.io', resource: 'leases', namespace: lease.namespace ?? ownNamespace };
  return [
    { ...leases, verbs: ['get', 'update'], name: lease.name },
    { ...leases, verbs: ['create'] },
  ];
}

/** For `clusterAccess`, with which the cluster decides who may see the page. */
const REVIEWS: readonly Grant[] = [
  { group: 'authentication.k8s.io', resource: 'tokenreviews' },
  { group: 'authorization.k8s.io', resource: 'subjectaccessreviews' },
].map((review) => ({ ...review, verbs: ['create'], namespace: '', delegated: true }));

/**
 * One grant per resource and place, in the order of the configuration; a grant for all namespaces is not repeated for one.
 * @throws ConfigError naming all unknown kinds
 */
export async function grantsOf(
  config: Config,
  { discovery, lookupKinds, namespace: ownNamespace }: GrantOptions,
): Promise<readonly Grant[]> {
  const grants: Grant[] = [IDENTITY, ...leaseGrants(config, ownNamespace)];
  const kinds = new KindFinder(discovery);
  const watched = new Map<ChainConfig, Set<string>>();
  for (const chain of config.chains) {
    const places = new Set<string>();
    watched.set(chain, places);
    for (const resource of chain.resources) {
      const found = await kinds.find(resource);
      if (found === undefined) continue;
      for (const namespace of found.namespaced
        ? namespaceScopesOf(resource.namespaces).map(requestNamespaceOf)
        : ['']) {
        // No object outside of namespaces leads to one in a namespace.
        if (found.namespaced) places.add(namespace);
        grants.push({ group: found.group, resource: found.resource, verbs: ['list', 'watch'], namespace });
      }
    }
  }
  const everywhere = placesOf(
    [...watched.values()].flatMap((places) => [...places]),
    [''],
  );
  if (config.lookup.enabled) {
    for (const kind of lookupKinds) {
      const found = await kinds.find({ kind, apiVersion: undefined, at: '--lookup' });
      if (found === undefined) continue;
      const places = found.namespaced ? everywhere : [''];
      for (const namespace of places)
        grants.push({ group: found.group, resource: found.resource, verbs: ['get'], namespace });
    }
    // A chain for dead letters watches nothing itself, and gets whatever others watch.
    for (const [chain, places] of watched)
      for (const access of accessOf(chain))
        for (const namespace of placesOf([...places], everywhere)) grants.push({ ...access, namespace });
  }
  kinds.refuseUnknown();
  return [...mergeGrants(grants), ...(config.web.clusterAccess ? REVIEWS : [])];
}

/** Finds the kinds of a configuration in the cluster, and remembers what is wrong with those that it does not find. */
class KindFinder {
  readonly #discovery: GrantOptions['discovery'];
  readonly #problems: string[] = [];
  /** By reason, which is mostly the same for all. */
  readonly #unsure = new Map<string, { readonly at: string; readonly names: Set<string> }>();

  constructor(discovery: GrantOptions['discovery']) {
    this.#discovery = discovery;
  }

  async find(wanted: NamedKind): Promise<Resource | undefined> {
    const { kind, apiVersion, at } = wanted;
    const resolution = (await this.#discovery?.resolve(kind, apiVersion)) ?? resolveBuiltIn(kind, apiVersion);
    if (resolution.kind === 'found') return resolution.resource;
    if (resolution.kind === 'unsure') {
      const { reason } = resolution;
      this.#unsure.set(reason, this.#unsure.get(reason) ?? { at, names: new Set() });
      this.#unsure.get(reason)?.names.add(`"${kind}"`);
    } else if (resolution.kind === 'not-served' && this.#discovery === undefined) {
      const near = resolution.near.length === 0 ? '' : `; near names: ${resolution.near.join(', ')}`;
      this.#problems.push(`${at}: the resource name of "${kind}" is unknown${near}; --cluster asks the cluster for it`);
    } else this.#problems.push(problemOf(wanted, resolution));
    return undefined;
  }

  /** @throws ConfigError naming everything that was not found */
  refuseUnknown(): void {
    for (const [reason, { at, names }] of this.#unsure) {
      const what = `${[...names].join(', ')} ${names.size === 1 ? 'is' : 'are'}`;
      this.#problems.push(`${at}: cannot find out what ${what}: ${reason}`);
    }
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
  }
}

/** Where its handlers ask the cluster: all namespaces if it is one of them. */
function placesOf(namespaces: readonly string[], otherwise: readonly string[]): readonly string[] {
  if (namespaces.length === 0) return otherwise;
  return namespaces.includes('') ? [''] : [...new Set(namespaces)];
}

function accessOf(chain: ChainConfig): readonly Omit<Grant, 'namespace'>[] {
  return handlersIn([chain]).flatMap(({ definition, options }) => definition.asks?.(options).access ?? []);
}

/** Whether a handler looks up objects of kinds that only the user knows. */
export function needsLookups(config: Config): boolean {
  return config.lookup.enabled && config.chains.some(chainNeedsLookups);
}

function chainNeedsLookups(chain: ChainConfig): boolean {
  const { resources } = chain;
  // A chain for dead letters watches nothing itself, and gets whatever others watch.
  const hasEvents = resources.length === 0 || resources.some(({ kind, apiVersion }) => isEventName(kind, apiVersion));
  return handlersIn([chain]).some(({ definition, options }) => {
    const { involved } = definition.asks?.(options) ?? {};
    return involved === true || (involved === 'of Events' && hasEvents) || needOf(options) !== undefined;
  });
}

function mergeGrants(grants: readonly Grant[]): readonly Grant[] {
  const byTarget = new Map<string, Grant>();
  for (const grant of grants) {
    const { group, resource, namespace, name = '' } = grant;
    const target = [group, resource, namespace, name].join(' ');
    const verbs = new Set([...(byTarget.get(target)?.verbs ?? []), ...grant.verbs]);
    byTarget.set(target, { ...grant, verbs: [...verbs].toSorted() });
  }
  const all = [...byTarget.values()];
  return all.flatMap((grant) => {
    const clusterWide = all.find((one) => one.namespace === '' && one !== grant && isSameResource(one, grant));
    const verbs = grant.verbs.filter((verb) => clusterWide === undefined || !clusterWide.verbs.includes(verb));
    return verbs.length === 0 ? [] : [{ ...grant, verbs }];
  });
}

function isSameResource(clusterWide: Grant, { group, resource }: Grant): boolean {
  return clusterWide.name === undefined && clusterWide.group === group && clusterWide.resource === resource;
}
