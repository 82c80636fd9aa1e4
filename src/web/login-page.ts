/** The login page, and the routes that log in and out. */
import type { Context } from 'hono';
import { html } from 'hono/html';
import { z } from 'zod';
import type { WebConfig } from '../config/config.ts';
import { head, type Html } from './html.ts';
import { linkBase } from './link-base.ts';
import type { Route, RouteParts } from './route.ts';
import type { CookieScope } from './sessions.ts';

/** The form uses POST, so that without the script, or before it is loaded, a browser does not put the token into the address. */
export function loginPage(base: string, verdict: 'unknown' | 'refused'): Html {
  return html`<!doctype html>
    <html lang="en">
      ${head(base, 'watchchain')}
      <body data-base="${base}">
        <main class="login">
          <h1>watchchain</h1>
          <form class="filters" id="login" method="post" action="${base}/login">
            <label
              >Token<input name="token" type="password" autocomplete="current-password" required autofocus
            /></label>
            <button>Show</button>
          </form>
          <p class="quiet" id="live" role="status">${verdict === 'refused' ? REFUSED : PROMPT}</p>
          <noscript><p class="notice">Logging in needs JavaScript.</p></noscript>
        </main>
      </body>
    </html>`;
}

const PROMPT = 'A bearer token of this service, or of the cluster.';
const REFUSED = 'Your login may not see this, or the cluster cannot be asked whether it may. Use another token?';

const credentials = z.strictObject({ token: z.string().min(1).max(8_192) });

/** A token that the gate refuses, also if the cluster cannot be asked, starts no session: nobody can crowd out existing ones. */
export function loginRoute({ gate, sessions, settings }: Pick<RouteParts, 'gate' | 'sessions' | 'settings'>): Route {
  return {
    method: 'POST',
    path: '/login',
    access: 'open',
    summary: 'Exchanges a token for a cookie that is valid for eight hours.',
    body: z.toJSONSchema(credentials),
    handle: async (c) => {
      const parsed = credentials.safeParse(await c.req.json().catch(() => undefined));
      if (!parsed.success) return c.json({ error: 'the token is missing' }, 400);
      const { token } = parsed.data;
      const verdict = await gate.verdict(token, 'read', '/');
      if (verdict === 'unknown') return c.json({ error: 'this token is not valid' }, 401);
      if (verdict === 'refused')
        return c.json({ error: 'it may not see this, or the cluster cannot be asked whether it may' }, 403);
      c.header('set-cookie', sessions.begin(token, cookieScope(c, settings)));
      return c.body(null, 204);
    },
  };
}

/** For shared machines. Open to all, since without a session nothing happens. */
export function logoutRoute({ sessions, settings }: Pick<RouteParts, 'sessions' | 'settings'>): Route {
  return {
    method: 'POST',
    path: '/logout',
    access: 'open',
    summary: 'Ends the session of the cookie.',
    handle: (c) => {
      c.header('set-cookie', sessions.end(c.req.raw.headers, cookieScope(c, settings)));
      return c.body(null, 204);
    },
  };
}

function cookieScope(c: Context, { basePath }: WebConfig): CookieScope {
  // A chain of proxies writes a list: the first is what the browser used.
  const [scheme] = c.req.header('x-forwarded-proto')?.split(',') ?? [];
  return { path: linkBase(c, basePath) || '/', secure: scheme?.trim().toLowerCase() === 'https' };
}
