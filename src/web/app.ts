/** The routes behind guard and gate, with the headers of every response. */
import { Hono, type Context, type Next } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { compress } from 'hono/compress';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { StoreError } from '../store/store-error.ts';
import { CLOSED, type Gate } from './gate.ts';
import { createGuard, type Guard } from './guard.ts';
import type { WebConfig } from '../config/config.ts';
import { loginPage } from './login-page.ts';
import { linkBase } from './link-base.ts';
import { notRunning } from './problems.ts';
import type { Route } from './route.ts';
import type { Sessions } from './sessions.ts';
import { styleHash } from './style.ts';

export interface WebAppOptions {
  readonly routes: readonly Route[];
  readonly settings: WebConfig;
  readonly gate: Gate;
  readonly sessions: Sessions;
  readonly log: Logger;
}

const MAX_BODY_BYTES = 1024 * 1024;
/** Only what we serve ourselves, and one style sheet; no framing; no script may turn a text into HTML. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': `default-src 'none'; script-src 'self'; style-src '${styleHash}'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'`,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

export function createWebApp(options: WebAppOptions): Hono {
  const { routes, settings, log } = options;
  const { basePath } = settings;
  const guard = createGuard(settings);
  const doors = { ...options, guard };
  const app = new Hono();
  app.use(withHeaders);
  // Before the guard: the kubelet and Prometheus use an IP address or service name, at the root, and probes reveal nothing.
  const probes = routes.filter(({ access }) => access === 'probe');
  for (const probe of probes) serve(app, [probe.path, basePath + probe.path], probe, doors);
  refuseOtherMethods(app, probes, basePath);
  app.use((c, next) => {
    const wrong = guard.host(c.req.raw);
    return wrong === undefined ? next() : Promise.resolve(c.text(`${wrong.problem}\n`, wrong.status));
  });
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => c.text('the body is too large\n', 413) }));
  app.use(compress());
  for (const route of routes) serve(app, pathsBelow(basePath, route.path), route, doors);
  refuseOtherMethods(app, routes, basePath);
  app.notFound((c) => c.text('not found\n', 404));
  app.onError((error, c) => {
    // The service stopped while the answer was being made.
    if (error instanceof StoreError && error.code === 'STORE_CLOSED') return notRunning(c);
    log.error('Cannot render a page', { path: c.req.path, error: toError(error).message });
    return c.text('internal error\n', 500);
  });
  return app;
}

async function withHeaders(c: Context, next: Next): Promise<void> {
  await next();
  for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
}

function serve(
  app: Hono,
  paths: string[],
  { method, access, handle }: Route,
  { guard, gate, sessions, settings: { basePath } }: WebAppOptions & { readonly guard: Guard },
): void {
  app.on(method, paths, async (c) => {
    if (access === 'probe') return handle(c);
    const wrong = method === 'GET' ? undefined : guard.write(c.req.raw);
    if (wrong !== undefined) return c.text(`${wrong.problem}\n`, wrong.status);
    if (gate.kind === 'closed') return c.text(`${CLOSED}\n`, 403);
    if (access === 'open') return handle(c);
    const path = c.req.path.slice(basePath.length) || '/';
    const verdict = await gate.verdict(sessions.tokenOf(c.req.raw.headers), access, path);
    return verdict === 'allowed' ? handle(c) : deny(c, verdict, basePath);
  });
}

function deny(c: Context, verdict: 'unknown' | 'refused', basePath: string): Response | Promise<Response> {
  const wantsPage = c.req.method === 'GET' && c.req.header('accept')?.includes('text/html') === true;
  // A session's token may have too few rights: the page offers to log out.
  if (wantsPage) return c.html(loginPage(linkBase(c, basePath), verdict), verdict === 'refused' ? 403 : 401);
  return verdict === 'refused'
    ? c.text('you may not see this, or the cluster cannot be asked whether you may\n', 403)
    : c.text('a bearer token is required\n', 401, { 'www-authenticate': 'Bearer' });
}

/** The page itself is served with and without a slash after the base path. */
function pathsBelow(basePath: string, path: string): string[] {
  return path === '/' && basePath !== '' ? [basePath, `${basePath}/`] : [basePath + path];
}

/** For requests that no route has answered. */
function refuseOtherMethods(app: Hono, routes: readonly Route[], basePath: string): void {
  const methods = Map.groupBy(routes, ({ path }) => path);
  for (const [path, served] of methods) {
    const allow = served.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
    for (const own of pathsBelow(basePath, path))
      app.all(own, (c) => c.text(`only ${allow} is allowed here\n`, 405, { allow }));
  }
}
