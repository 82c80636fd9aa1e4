/** All routes, with the access that each requires. A path that is not in this table is not served. */
import { configRoute } from './config-route.ts';
import { changeRoutes } from './change-routes.ts';
import { deadLetterRoutes } from './dead-letter-routes.ts';
import { loginRoute, logoutRoute } from './login-page.ts';
import { openApi } from './open-api.ts';
import { pageRoutes } from './page-routes.ts';
import { probeRoutes } from './probes.ts';
import { alertRoutes } from './pods/alert-routes.ts';
import { PodQueries } from './pods/pod-queries.ts';
import { podRoutes } from './pods/pod-routes.ts';
import type { Route, RouteParts } from './route.ts';

export function routesOf(parts: RouteParts): readonly Route[] {
  const { service, settings } = parts;
  const pods = new PodQueries(service, settings);
  const routes: Route[] = [
    ...probeRoutes(parts),
    ...pageRoutes(parts, pods),
    loginRoute(parts),
    logoutRoute(parts),
    ...changeRoutes(parts),
    ...deadLetterRoutes(parts),
    ...podRoutes({ service, pods }),
    ...alertRoutes({ pods, clock: service.clock, resetOnRead: settings.podWatcher.resetOnRead }),
    configRoute(parts),
    {
      method: 'GET',
      path: '/openapi.json',
      access: 'read',
      summary: 'This table.',
      handle: (c) => c.json(openApi(routes, settings.basePath)),
    },
  ];
  return routes;
}
