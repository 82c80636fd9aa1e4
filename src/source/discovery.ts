/** Resolves the kind that a configured name means in the cluster. */
import { apiVersionOf } from '../change.ts';
import { systemClock, type Clock } from '../clock.ts';
import { nearNames } from '../text/near.ts';
import type { ApiClient } from './api.ts';
import { readOpenShift3Kinds, readServedKinds, UNREAD_GROUPS, type ServedKinds } from './discovery-documents.ts';
import { groupResource } from './resource-path.ts';
import type { Resource } from './source.ts';

export type Resolution =
  | { readonly kind: 'found'; readonly resource: Resource }
  | NotServed
  /** `plural.group` of each kind that the name could mean. */
  | { readonly kind: 'ambiguous'; readonly candidates: readonly string[] }
  /** Discovery failed for a group that might have the kind: ask again later. */
  | { readonly kind: 'unsure'; readonly reason: string };

export interface NotServed {
  readonly kind: 'not-served';
  readonly near: readonly string[];
  /** The name includes the group, so a CRD installed later may bring the kind. */
  readonly mayBeServedLater: boolean;
  /** A matching kind that cannot be watched: `pods of metrics.k8s.io/v1beta1 without watch`. */
  readonly unwatched?: string;
}

/**
 * The groups of Kubernetes itself, in the order in which they are searched for a bare name; core is first. `extensions` comes
 * last: what old clusters still serve of it is in newer groups too.
 */
const BUILT_IN_GROUPS: readonly string[] = [
  '',
  'apps',
  'batch',
  'autoscaling',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'admissionregistration.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'node.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storagemigration.k8s.io',
  'internal.apiserver.k8s.io',
  'extensions',
];

/** The group name that means OpenShift 3's own kinds, which are served under `/oapi`. */
const OPENSHIFT_3 = 'oapi';

/** Long enough for one discovery to serve all the kinds of a start. */
const HIT_MAX_AGE_MS = 10_000;
/** Shorter: a kind that was missing may have been installed since. */
const MISS_MAX_AGE_MS = 1_000;

/** Reads discovery documents and answers from them for a few seconds. */
export class Discovery {
  readonly #api: ApiClient;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  #cache: { at: number; readonly served: Promise<ServedKinds> } | undefined;

  /** @param options.signal aborts requests under way, so that a stop does not wait for an answer */
  constructor(api: ApiClient, options: { readonly clock?: Clock; readonly signal?: AbortSignal } = {}) {
    this.#api = api;
    this.#clock = options.clock ?? systemClock;
    this.#signal = options.signal;
  }

  /**
   * `name`: kind, plural, singular or short name in any case, alone or as kubectl writes it (`deployments.apps`,
   * `deployments.v1.apps`). `apiVersion`: `apps/v1`, `v1`, or a group. A bare name means core, then the groups of Kubernetes
   * itself, then the only other group that has it. Never throws, whatever the server answers.
   */
  async resolve(name: string, apiVersion: string | undefined): Promise<Resolution> {
    const query = parseName(name, apiVersion);
    const cached = resolveAmong(query, await this.#served(HIT_MAX_AGE_MS));
    if (cached.kind === 'found') return cached;
    const fresh = resolveAmong(query, await this.#served(MISS_MAX_AGE_MS));
    // Asked last, and only if needed: only OpenShift 3 serves it.
    if (fresh.kind !== 'not-served' || (query.group ?? OPENSHIFT_3) !== OPENSHIFT_3) return fresh;
    const legacy = resolveAmong({ ...query, group: undefined }, await readOpenShift3Kinds(this.#api, this.#signal));
    return legacy.kind === 'found' ? legacy : fresh;
  }

  #served(maxAgeMs: number): Promise<ServedKinds> {
    if (this.#cache === undefined || this.#clock.monotonic() - this.#cache.at > maxAgeMs) {
      const entry = { at: Infinity, served: readServedKinds(this.#api, this.#signal) };
      this.#cache = entry;
      // The age counts from the answer: a slow cluster is not asked again for each kind.
      const stamp = (): void => void (entry.at = this.#clock.monotonic());
      entry.served.then(stamp, stamp);
    }
    return this.#cache.served;
  }
}

/** Resolves a name among the served kinds: see {@link Discovery.resolve}. */
export function resolveIn(served: ServedKinds, name: string, apiVersion: string | undefined): Resolution {
  return resolveAmong(parseName(name, apiVersion), served);
}

interface KindQuery {
  readonly name: string;
  /** Undefined: any. */
  readonly group: string | undefined;
  readonly version: string | undefined;
}

/** `deployments.v1.apps`, in lower case. */
export function parseName(name: string, apiVersion: string | undefined): KindQuery {
  const [head = '', ...rest] = name.toLowerCase().split('.');
  const suffix = rest.length === 0 ? {} : parseSuffix(rest);
  return { name: head, group: undefined, version: undefined, ...suffix, ...parseApiVersion(apiVersion) };
}

/** `apps`, or `v1.apps`. */
function parseSuffix([first = '', ...rest]: readonly string[]): Pick<KindQuery, 'group' | 'version'> {
  return isVersion(first)
    ? { group: rest.join('.'), version: first }
    : { group: [first, ...rest].join('.'), version: undefined };
}

function parseApiVersion(apiVersion: string | undefined): Partial<KindQuery> {
  if (apiVersion === undefined) return {};
  const [group = '', version] = apiVersion.toLowerCase().split('/');
  if (version !== undefined) return { group, version };
  return isVersion(group) ? { group: '', version: group } : { group };
}

function isVersion(text: string): boolean {
  return /^v\d+((alpha|beta)\d+)?$/.test(text);
}

function resolveAmong(query: KindQuery, served: ServedKinds): Resolution {
  const inScope = served.resources.filter((one) => isInScope(one, query));
  const byName = inScope.filter((resource) => fullNames(resource).includes(query.name));
  const matches = byName.length > 0 ? byName : inScope.filter(({ shortNames }) => shortNames.includes(query.name));
  if (matches.length === 0) return notFound(query, served, inScope);

  const best = Math.min(...matches.map(({ group }) => rank(group)));
  const preferred = matches.filter(({ group }) => rank(group) === best);
  const [first] = preferred;
  const hidden = query.group === undefined ? unreadBefore(best, served.unknown) : undefined;
  if (hidden !== undefined) return { kind: 'unsure', reason: hidden };
  if (first !== undefined && preferred.every(({ group }) => group === first.group))
    return { kind: 'found', resource: first };
  return { kind: 'ambiguous', candidates: [...new Set(matches.map(groupResource))].toSorted() };
}

function isInScope({ group, version }: Resource, query: KindQuery): boolean {
  return (
    (query.group === undefined || group === query.group) && (query.version === undefined || version === query.version)
  );
}

function notFound(
  query: KindQuery,
  { unknown, resources, unwatched, groupVersions }: ServedKinds,
  inScope: readonly Resource[],
): Resolution {
  const [unread] =
    query.group === undefined ? unknown.values() : [unknown.get(query.group) ?? unknown.get(UNREAD_GROUPS)];
  if (unread !== undefined) return { kind: 'unsure', reason: unread };
  const near = inOtherGroups(query, resources) ?? similarNames(query, inScope.length > 0 ? inScope : resources);
  const hidden = unwatched.filter((one) => isInScope(one, query));
  const match =
    hidden.find((one) => fullNames(one).includes(query.name)) ??
    hidden.find(({ shortNames }) => shortNames.includes(query.name));
  return {
    kind: 'not-served',
    near,
    mayBeServedLater: mayBeServedLater(query, groupVersions),
    ...(match === undefined ? {} : { unwatched: `${describeResource(match)} without ${missingVerbs(match)}` }),
  };
}

/** The same name in versions or groups that were not asked for: `widgets of shop.example/v2`. */
function inOtherGroups({ name }: KindQuery, resources: readonly Resource[]): readonly string[] | undefined {
  const same = resources
    .filter((one) => fullNames(one).includes(name))
    .toSorted((a, b) => rank(a.group) - rank(b.group));
  return same.length === 0 ? undefined : same.map(describeResource);
}

function describeResource(one: Resource): string {
  return `${one.resource} of ${apiVersionOf(one)}`;
}

function similarNames({ name }: KindQuery, resources: readonly Resource[]): readonly string[] {
  return nearNames(
    name,
    resources.flatMap((one) => [...fullNames(one), ...one.shortNames]),
  );
}

function missingVerbs({ verbs }: Resource): string {
  return ['list', 'watch'].filter((verb) => !verbs.includes(verb)).join(' and ');
}

/** No kind is ever added to a group version of Kubernetes itself that is already served. */
function mayBeServedLater({ group, version }: KindQuery, groupVersions: ReadonlySet<string>): boolean {
  if (group === undefined) return false;
  if (!BUILT_IN_GROUPS.includes(group)) return true;
  return version !== undefined && !groupVersions.has(apiVersionOf({ group, version }));
}

/** Why a group of higher precedence could not be read: it may have the kind that a bare name means (`ingress` on OpenShift). */
function unreadBefore(best: number, unknown: ServedKinds['unknown']): string | undefined {
  return [...unknown].find(([group]) => rank(group) < best)?.[1];
}

function rank(group: string): number {
  if (group === UNREAD_GROUPS) return 1;
  const position = BUILT_IN_GROUPS.indexOf(group);
  return position === -1 ? BUILT_IN_GROUPS.length : position;
}

function fullNames({ resource, kind, singular }: Resource): readonly string[] {
  return [resource, kind.toLowerCase(), singular].filter((name) => name !== '');
}
