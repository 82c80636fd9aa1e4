/** What to watch: as configured, as resolved by the cluster, and as lists and watches. */
import type { Config } from '../config/config.ts';
import { ConfigError } from '../errors.ts';
import type { Discovery, Resolution } from './discovery.ts';
import type { Redactor } from './redact.ts';
import type { Resource, WatchRequest } from './source.ts';
import { scopeId } from './watched-scope.ts';

/** What to watch, and how. */
export interface WatchPlan extends Pick<Config, 'whileAway' | 'existing'> {
  readonly requests: readonly WatchRequest[];
  readonly redactor: Redactor;
}

/** A plan whose kinds have been resolved. */
export interface PreparedPlan extends WatchPlan {
  readonly resolutions: readonly { readonly request: WatchRequest; readonly resolution: Resolution }[];
}

/** One list and watch, and the requests it serves. */
export interface PlannedScope {
  readonly resource: Resource;
  readonly requests: readonly [WatchRequest, ...WatchRequest[]];
}

/**
 * Resolves the kinds of a plan.
 * @throws ConfigError for kinds that the cluster surely does not serve
 */
export async function prepare(plan: WatchPlan, discovery: Pick<Discovery, 'resolve'>): Promise<PreparedPlan> {
  const resolutions = await Promise.all(
    plan.requests.map(async (request) => ({
      request,
      resolution: await discovery.resolve(request.kind, request.apiVersion),
    })),
  );
  const problems = resolutions.flatMap(({ request, resolution }) =>
    isUserError(resolution) ? [problemOf(request, resolution)] : [],
  );
  if (problems.length > 0) throw new ConfigError([...new Set(problems)]);
  return { ...plan, resolutions };
}

export type NotFound = Exclude<Resolution, { readonly kind: 'found' }>;

/** Whether only the user can fix it; anything else is waited for. */
function isUserError(resolution: Resolution): resolution is NotFound {
  return resolution.kind === 'ambiguous' || (resolution.kind === 'not-served' && !resolution.mayBeServedLater);
}

/** Merges requests for the same scope into one list and watch. */
export function planScopes(resolutions: PreparedPlan['resolutions']): ReadonlyMap<string, PlannedScope> {
  const scopes = new Map<string, PlannedScope>();
  for (const { request, resolution } of resolutions) {
    if (resolution.kind !== 'found') continue;
    const id = scopeId(request, resolution.resource);
    const [first, ...more] = scopes.get(id)?.requests ?? [];
    scopes.set(id, {
      resource: resolution.resource,
      requests: first === undefined ? [request] : [first, ...more, request],
    });
  }
  return scopes;
}

/** A kind as the configuration names it. */
export type NamedKind = Pick<WatchRequest, 'kind' | 'apiVersion' | 'at'>;

export function problemOf({ kind, apiVersion, at }: NamedKind, resolution: NotFound): string {
  const name = apiVersion === undefined ? `"${kind}"` : `"${kind}" of ${apiVersion}`;
  switch (resolution.kind) {
    case 'ambiguous':
      return `${at}: kind ${name} may be any of ${resolution.candidates.join(', ')}: set apiVersion`;
    case 'not-served': {
      if (resolution.unwatched !== undefined)
        return `${at}: kind ${name} cannot be watched: the cluster serves ${resolution.unwatched}`;
      const near = resolution.near.length === 0 ? '' : `; it serves ${resolution.near.join(', ')}`;
      return `${at}: kind ${name} is not served by the cluster${near}`;
    }
    case 'unsure':
      return `${at}: cannot find out what kind ${name} is: ${resolution.reason}`;
  }
}
