/** For the kubelet, load balancers and Prometheus: states and counts, nothing about what is watched. */
import type { Context } from 'hono';
import { nameOf, type Health } from '../health.ts';
import type { Route, RouteParts } from './route.ts';

/** Paths that begin with `/-/` are kubernetes-event-exporter's names for the same. */
export function probeRoutes({ service }: Pick<RouteParts, 'service'>): readonly Route[] {
  return [
    ...['/livez', '/-/healthy'].map((path): Route => {
      return { method: 'GET', path, access: 'probe', summary: 'The process responds.', handle: (c) => c.text('ok\n') };
    }),
    ...['/readyz', '/healthz', '/-/ready'].map((path): Route => {
      const summary = 'Every scope is watched, or named as degraded.';
      return { method: 'GET', path, access: 'probe', summary, handle: (c) => readiness(c, service.health()) };
    }),
    {
      method: 'GET',
      path: '/metrics',
      access: 'probe',
      summary: 'For Prometheus.',
      handle: async (c) => {
        const { registry } = service.metrics;
        return c.body(await registry.metrics(), 200, { 'content-type': registry.contentType });
      },
    },
  ];
}

/** One line of state, then one line per degraded kind. A degraded kind does not make us unready: that would help nobody. */
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
