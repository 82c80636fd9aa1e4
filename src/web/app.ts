/** The routes behind their guard and their gate, with the headers that every answer carries. */
import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { compress } from 'hono/compress';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Gate } from './gate.ts';
import { createGuard } from './guard.ts';
import type { WebConfig } from '../config/config.ts';
import { loginPage } from './page.ts';
import type { Route } from './routes.ts';
import type { Sessions } from './sessions.ts';

export interface WebAppOptions {
  readonly routes: readonly Route[];
  readonly settings: WebConfig;
  readonly gate: Gate;
  readonly sessions: Sessions;
  readonly log: Logger;
}

const MAX_BODY_BYTES = 1024 * 1024;
/** Nothing but what we serve ourselves; nobody puts us in a frame. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

export function createWebApp({ routes, settings, gate, sessions, log }: WebAppOptions): Hono {
  const { basePath } = settings;
  const guard = createGuard(settings);
  const app = new Hono().basePath(basePath === '' ? '/' : basePath);
  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
  });
  app.use(async (c, next) => {
    const wrong = isProbe(c, basePath) ? undefined : guard(c.req.raw);
    return wrong === undefined ? next() : c.text(`${wrong.problem}\n`, wrong.status);
  });
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => c.text('the body is too large\n', 413) }));
  app.use(compress());
  for (const { method, path, access, answer } of routes) {
    app.on(method, path, async (c) => {
      if (access === 'open') return answer(c);
      const verdict = await gate.verdict(sessions.tokenOf(c.req.raw.headers), access, path);
      return verdict === 'allowed' ? answer(c) : denied(c, verdict, gate, basePath);
    });
  }
  app.on('POST', '/login', (c) => logIn(c, sessions, settings));
  app.all('*', (c) => {
    const known = routes.some(({ path }) => path === c.req.path.slice(basePath.length));
    return known ? c.text('only GET and HEAD are answered here\n', 405) : c.text('not found\n', 404);
  });
  app.onError((error, c) => {
    log.error('A page could not be made', { path: c.req.path, error: toError(error).message });
    return c.text('internal error\n', 500);
  });
  return app;
}

/** The kubelet and Prometheus ask by address or by a service's name; there is nothing to see. */
function isProbe(c: Context, basePath: string): boolean {
  return ['/livez', '/readyz', '/metrics'].some((path) => c.req.path === basePath + path);
}

function denied(
  c: Context,
  verdict: 'unknown' | 'refused',
  gate: Gate,
  basePath: string,
): Response | Promise<Response> {
  if (gate.kind === 'closed') {
    return c.text('only /livez, /readyz and /metrics are served here: set [web] token, or listen on loopback\n', 403);
  }
  if (verdict === 'refused') return c.text('you may not see this\n', 403);
  const wantsPage = c.req.method === 'GET' && c.req.header('accept')?.includes('text/html') === true;
  return wantsPage
    ? c.html(loginPage(basePath), 401)
    : c.text('a bearer token is needed\n', 401, { 'www-authenticate': 'Bearer' });
}

async function logIn(c: Context, sessions: Sessions, { basePath }: WebConfig): Promise<Response> {
  const { token } = (await c.req.json().catch(() => ({}))) as { token?: unknown };
  if (typeof token !== 'string' || token === '') return c.text('the token is missing\n', 400);
  const secure = c.req.header('x-forwarded-proto') === 'https';
  c.header('set-cookie', sessions.begin(token, { path: basePath === '' ? '/' : basePath, secure }));
  return c.body(null, 204);
}
