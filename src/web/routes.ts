/** Every path that is served, with who may ask for it. A path that is not in this table is answered by nobody. */
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { z } from 'zod';
import { codeOf, toError } from '../errors.ts';
import type { Health } from '../health.ts';
import type { ScopeHealth } from '../source/source.ts';
import type { Asset } from './assets.ts';
import { changesQuery, filterOf, shown, type ChangesQuery, type ShownChange } from './changes.ts';
import type { Feed } from './feed.ts';
import type { Access } from './gate.ts';
import { openApi } from './open-api.ts';
import type { WebConfig } from '../config/config.ts';
import type { Outlook } from './outlook.ts';
import { page } from './page.ts';
import { follow } from './stream.ts';

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Below the base path; `:name` stands for one part. */
  readonly path: string;
  readonly access: Access;
  /** For /openapi.json. */
  readonly summary: string;
  readonly answer: (context: Context) => Response | Promise<Response>;
}

export interface RouteParts {
  readonly outlook: Outlook;
  readonly settings: WebConfig;
  readonly assets: ReadonlyMap<string, Asset>;
  readonly feed: Feed;
}

/** Of one request. */
const MAX_IDS = 1_000;
const ids = z.strictObject({ ids: z.array(z.int().positive()).min(1).max(MAX_IDS) });
const MAX_LETTERS = 100;
/** Who look on at once; the next are told to come back. */
const MAX_VIEWERS = 50;

export function routesOf(parts: RouteParts): readonly Route[] {
  const { outlook, assets } = parts;
  const routes: Route[] = [
    {
      method: 'GET',
      path: '/livez',
      access: 'open',
      summary: 'The process answers.',
      answer: (c) => c.text('ok\n'),
    },
    {
      method: 'GET',
      path: '/readyz',
      access: 'open',
      summary: 'Every scope is watched, or named as degraded.',
      answer: (c) => readiness(c, outlook.health()),
    },
    {
      method: 'GET',
      path: '/metrics',
      access: 'open',
      summary: 'For Prometheus.',
      answer: async (c) => {
        const { registry } = outlook.metrics;
        return c.body(await registry.metrics(), 200, { 'content-type': registry.contentType });
      },
    },
    { method: 'GET', path: '/', access: 'read', summary: 'The page.', answer: (c) => pageOf(c, parts) },
    {
      method: 'GET',
      path: '/assets/:name',
      access: 'open',
      summary: 'What the page loads.',
      answer: (c) => {
        const asset = assets.get(c.req.param('name') ?? '');
        return asset === undefined ? c.notFound() : c.body(asset.body, 200, { 'content-type': asset.type });
      },
    },
    {
      method: 'GET',
      path: '/api/changes',
      access: 'read',
      summary: 'Changes, newest first; as server-sent events those that are accepted from now on.',
      answer: (c) => changes(c, parts),
    },
    {
      method: 'GET',
      path: '/api/dead-letters',
      access: 'read',
      summary: 'Changes whose attempts are spent.',
      answer: async (c) => c.json({ deadLetters: await deadLetters(outlook) }),
    },
    ...(['replay', 'discard'] as const).map((verb): Route => ({
      method: 'POST',
      path: `/api/dead-letters/${verb}`,
      access: 'write',
      summary: verb === 'replay' ? 'Sends dead letters through their chain again.' : 'Forgets dead letters for good.',
      answer: (c) => tend(c, verb, outlook),
    })),
    {
      method: 'GET',
      path: '/openapi.json',
      access: 'open',
      summary: 'This table.',
      answer: (c) => c.json(openApi(routes)),
    },
  ];
  return routes;
}

/** One line of state, then one line per degraded kind. A degraded kind does not make the service unready: it would not help the others. */
function readiness(c: Context, health: Health): Response {
  const state = health.ready ? (health.degraded.length === 0 ? 'ok' : 'ok, degraded') : `not ready: ${health.phase}`;
  const waiting = health.scopes.filter((scope) => scope.state === 'starting' || scope.state === 'listing');
  const lines = [
    state,
    ...waiting.map((scope) => `${scope.state}: ${nameOf(scope)}`),
    ...health.degraded.map((scope) => `degraded: ${nameOf(scope)}: ${scope.problem ?? 'unknown'}`),
    ...(health.configProblem === undefined ? [] : [`configuration not reloaded: ${health.configProblem}`]),
  ];
  return c.text(`${lines.join('\n')}\n`, health.ready ? 200 : 503);
}

function nameOf(scope: ScopeHealth): string {
  const where = scope.namespace === '' ? '' : ` in ${scope.namespace}`;
  return `${scope.resource ?? scope.kind}${where}`;
}

async function pageOf(c: Context, { outlook, settings }: RouteParts): Promise<Response> {
  const store = outlook.store();
  const parsed = changesQuery.safeParse(c.req.query());
  const query = parsed.success ? parsed.data : changesQuery.parse({});
  const found = parsed.success ? await newest(outlook, query) : { changes: [], problem: firstProblem(parsed.error) };
  return c.html(
    page({
      cluster: outlook.clusterName() ?? 'connecting',
      basePath: settings.basePath,
      now: outlook.clock.now(),
      health: outlook.health(),
      query,
      queryProblem: found.problem,
      changes: found.changes,
      balances: (await store?.balances()) ?? [],
      deadLetters: (await store?.deadLetters({ limit: MAX_LETTERS })) ?? [],
    }),
  );
}

async function changes(c: Context, parts: RouteParts): Promise<Response> {
  const { after, ...rest } = c.req.query();
  const parsed = changesQuery.safeParse(rest);
  if (!parsed.success) return c.json({ error: firstProblem(parsed.error) }, 400);
  if (c.req.header('accept')?.includes('text/event-stream') === true) {
    if (parts.feed.viewers >= MAX_VIEWERS) return c.text('too many look on already\n', 503, { 'retry-after': '60' });
    const seen = Number(c.req.header('last-event-id') ?? after);
    return streamSSE(c, (stream) => follow(stream, parsed.data, Number.isSafeInteger(seen) ? seen : undefined, parts));
  }
  const { changes: found, problem } = await newest(parts.outlook, parsed.data);
  if (problem !== undefined) return c.json({ error: problem }, 400);
  const last = found.length < parsed.data.limit ? undefined : found.at(-1)?.id;
  return c.json({ changes: found, ...(last === undefined ? {} : { before: last }) });
}

/** A kind of which nothing is recorded is a problem of the query. */
async function newest(
  outlook: Outlook,
  query: ChangesQuery,
): Promise<{ readonly changes: readonly ShownChange[]; readonly problem?: string }> {
  const store = outlook.store();
  if (store === undefined) return { changes: [] };
  try {
    const { limit, before } = query;
    const filter = { ...(await filterOf(store, query)), ...(before === undefined ? {} : { beforeId: before }) };
    return { changes: (await store.history({ ...filter, newestFirst: true, limit })).map(shown) };
  } catch (thrown) {
    if (codeOf(thrown) !== 'CONFIG') throw thrown;
    return { changes: [], problem: toError(thrown).message };
  }
}

async function deadLetters(outlook: Outlook): Promise<readonly object[]> {
  const letters = (await outlook.store()?.deadLetters({ limit: MAX_LETTERS })) ?? [];
  return letters.map(({ change, diedAt, ...letter }) => ({
    ...letter,
    diedAt: new Date(diedAt).toISOString(),
    change: shown(change),
  }));
}

async function tend(c: Context, verb: 'replay' | 'discard', outlook: Outlook): Promise<Response> {
  const store = outlook.store();
  if (store === undefined) return c.json({ error: 'the service is not running yet' }, 503);
  const parsed = ids.safeParse(await c.req.json().catch(() => undefined));
  if (!parsed.success) return c.json({ error: firstProblem(parsed.error) }, 400);
  const done = verb === 'replay' ? await store.replay(parsed.data.ids) : await store.discard(parsed.data.ids);
  outlook.log.info(`Dead letters: ${verb} from the page`, { ids: done });
  return c.json({ ids: done });
}

function firstProblem({ issues: [issue] }: z.ZodError): string {
  return issue === undefined ? 'cannot be read' : [issue.path.join('.'), issue.message].filter(Boolean).join(': ');
}
