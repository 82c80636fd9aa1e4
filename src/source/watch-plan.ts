/** What to watch: as configured, as resolved by the cluster, and as lists and watches. */
import { ConfigError } from '../errors.ts';
import type { Discovery, Resolution } from './discovery.ts';
import type { Redactor } from './redact.ts';
import type { Resource, WatchRequest } from './source.ts';
import { scopeId } from './watched-scope.ts';

/** What to watch, and how. */
export interface WatchPlan {
  readonly requests: readonly WatchRequest[];
  readonly redactor: Redactor;
  /** Whether what happened while nothing was watching becomes changes. */
  readonly whileAway: 'each' | 'ignore';
  /** How to treat objects that exist when a scope is first listed. Default `silent`. */
  readonly existing?: 'silent' | 'added';
}

/** A plan whose kinds have been resolved. */
export interface PreparedPlan extends WatchPlan {
  readonly answers: readonly { readonly request: WatchRequest; readonly answer: Resolution }[];
}

/** One list and watch, and the requests it serves. */
export interface Wanted {
  readonly resource: Resource;
  readonly requests: readonly [WatchRequest, ...WatchRequest[]];
}

/**
 * Resolves the kinds of a plan.
 * @throws ConfigError for kinds that the cluster surely does not serve
 */
export async function prepare(plan: WatchPlan, discovery: Pick<Discovery, 'resolve'>): Promise<PreparedPlan> {
  const answers = await Promise.all(
    plan.requests.map(async (request) => ({
      request,
      answer: await discovery.resolve(request.kind, request.apiVersion),
    })),
  );
  const mistakes = answers.flatMap(({ request, answer }) => (isMistake(answer) ? [problemOf(request, answer)] : []));
  if (mistakes.length > 0) throw new ConfigError([...new Set(mistakes)]);
  return { ...plan, answers };
}

export type NotFound = Exclude<Resolution, { readonly kind: 'found' }>;

/** Whether only the user can fix it; anything else is waited for. */
function isMistake(answer: Resolution): answer is NotFound {
  return answer.kind === 'ambiguous' || (answer.kind === 'not-served' && !answer.mayComeLater);
}

/** Merges requests for the same scope into one list and watch. */
export function wantedScopes(answers: PreparedPlan['answers']): ReadonlyMap<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const { request, answer } of answers) {
    if (answer.kind !== 'found') continue;
    const id = scopeId(request, answer.resource);
    const [first, ...more] = wanted.get(id)?.requests ?? [];
    wanted.set(id, {
      resource: answer.resource,
      requests: first === undefined ? [request] : [first, ...more, request],
    });
  }
  return wanted;
}

export function problemOf({ kind, apiVersion, at }: WatchRequest, answer: NotFound): string {
  const name = apiVersion === undefined ? `"${kind}"` : `"${kind}" of ${apiVersion}`;
  switch (answer.kind) {
    case 'ambiguous':
      return `${at}: kind ${name} may be any of ${answer.candidates.join(', ')}: set apiVersion`;
    case 'not-served': {
      if (answer.unwatched !== undefined)
        return `${at}: kind ${name} cannot be watched: the cluster serves ${answer.unwatched}`;
      const near = answer.near.length === 0 ? '' : `; it serves ${answer.near.join(', ')}`;
      return `${at}: kind ${name} is not served by the cluster${near}`;
    }
    case 'unsure':
      return `${at}: cannot find out what kind ${name} is: ${answer.reason}`;
  }
}
