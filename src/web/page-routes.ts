/** The page, its refreshed sections, and its assets. */
import type { Context } from 'hono';
import { toError } from '../errors.ts';
import { newest } from './change-routes.ts';
import { changesQuery } from './changes.ts';
import type { Html } from './html.ts';
import { linkBase } from './link-base.ts';
import { LiveModels } from './live-models.ts';
import { pageEnd, pageFailure, pageSections, pageTop } from './page.ts';
import type { PodQueries } from './pods/pod-queries.ts';
import { firstProblem } from './problems.ts';
import type { Route, RouteParts } from './route.ts';
import { propertiesOf } from './schemas.ts';
import { streamed } from './streamed.ts';

export function pageRoutes(parts: RouteParts, podQueries: PodQueries): readonly Route[] {
  const live = new LiveModels(parts.service, podQueries);
  return [
    {
      method: 'GET',
      path: '/',
      access: 'read',
      summary: 'The page.',
      query: propertiesOf(changesQuery),
      handle: (c) => streamed(c, pageOf(c, parts, live)),
    },
    {
      method: 'GET',
      path: '/fragments',
      access: 'read',
      summary: 'The sections of the page except the changes, as HTML.',
      handle: async (c) => c.html(await live.fragments()),
    },
    {
      method: 'GET',
      path: '/assets/:name',
      access: 'open',
      summary: 'Assets of the page.',
      handle: (c) => {
        const asset = parts.assets.get(c.req.param('name') ?? '');
        return asset === undefined ? c.notFound() : c.body(asset.body, 200, { 'content-type': asset.type });
      },
    },
  ];
}

/** Query and access are checked before; later failures are shown on the page. */
async function* pageOf(
  c: Context,
  { service, sessions, settings }: RouteParts,
  live: LiveModels,
): AsyncGenerator<Html> {
  const base = linkBase(c, settings.basePath);
  const isLoggedIn = sessions.tokenOfSession(c.req.raw.headers) !== undefined;
  const cluster = service.clusterName() ?? 'connecting';
  yield pageTop({ now: service.clock.now(), cluster, health: service.health(), base, isLoggedIn });
  try {
    const parsed = changesQuery.safeParse(c.req.query());
    const isRunning = service.store() !== undefined;
    const query = parsed.success ? parsed.data : changesQuery.parse({});
    const [{ changes, problem: queryProblem }, model] = await Promise.all([
      parsed.success ? newest(service, query) : { changes: [], problem: firstProblem(parsed.error) },
      live.soon(),
    ]);
    yield pageSections({ ...model, base, query, queryProblem, changes: isRunning ? changes : undefined });
  } catch (thrown) {
    service.log.error('Cannot render a page', { path: c.req.path, error: toError(thrown).message });
    yield pageFailure();
  }
  yield pageEnd(base);
}
