/** Browsers cannot send a bearer token with a page or an event stream, so a cookie represents the token that was typed in. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';

const COOKIE = 'watchchain';
/** There may be several: a neighbouring domain, or another path of ours, can set one too, and it may come first. */
const SESSION = new RegExp(`(?:^|; *)${COOKIE}=([\\w-]{43})(?=;|$)`, 'g');
const LASTS_MS = 8 * 3_600_000;
/** Then the oldest ends, and its user has to type in the token again. */
const MAX_SESSIONS = 100;

/** Where the cookie is valid. */
export interface CookieScope {
  readonly path: string;
  /** For https only. */
  readonly secure: boolean;
}

export class Sessions {
  readonly #clock: Clock;
  readonly #tokens = new Map<string, { readonly token: string; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The `Set-Cookie` that represents the token from now on, for eight hours or until the process ends. */
  begin(token: string, scope: CookieScope): string {
    const id = randomBytes(32).toString('base64url');
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size >= MAX_SESSIONS && oldest !== undefined) this.#tokens.delete(oldest);
    this.#tokens.set(id, { token, until: this.#clock.monotonic() + LASTS_MS });
    return cookie(id, LASTS_MS, scope);
  }

  /** Ends the session. Returns the `Set-Cookie` that removes the cookie. */
  end(headers: Headers, scope: CookieScope): string {
    for (const id of idsIn(headers)) this.#tokens.delete(id);
    return cookie('', 0, scope);
  }

  /** The bearer token, or else that of the session. */
  tokenOf(headers: Headers): string | undefined {
    return /^Bearer +([\w.~+/=-]+)$/i.exec(headers.get('authorization') ?? '')?.[1] ?? this.tokenOfSession(headers);
  }

  tokenOfSession(headers: Headers): string | undefined {
    const now = this.#clock.monotonic();
    return idsIn(headers)
      .map((id) => this.#tokens.get(id))
      .find((session) => session !== undefined && session.until > now)?.token;
  }
}

function idsIn(headers: Headers): readonly string[] {
  return [...(headers.get('cookie') ?? '').matchAll(SESSION)].map(([, id = '']) => id);
}

function cookie(value: string, lastsMs: number, { path, secure }: CookieScope): string {
  return `${COOKIE}=${value}; Path=${path}; HttpOnly; SameSite=Strict; Max-Age=${lastsMs / 1000}${secure ? '; Secure' : ''}`;
}
