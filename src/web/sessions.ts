/** Browsers cannot send a bearer token with a page or an event stream: a cookie stands for the token that was typed in. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';

const COOKIE = 'watchchain';
/** There may be several: who has a neighbouring name, or another path of ours, can set one too, and it may come first. */
const SESSION = new RegExp(`(?:^|; *)${COOKIE}=([\\w-]{43})(?=;|$)`, 'g');
const LASTS_MS = 8 * 3_600_000;
/** Beyond it the oldest has to type it in again. */
const MAX_SESSIONS = 100;

export class Sessions {
  readonly #clock: Clock;
  readonly #tokens = new Map<string, { readonly token: string; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The `Set-Cookie` that stands for the token from now on, for eight hours or until the process ends. */
  begin(token: string, { path, secure }: { readonly path: string; readonly secure: boolean }): string {
    const id = randomBytes(32).toString('base64url');
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size >= MAX_SESSIONS && oldest !== undefined) this.#tokens.delete(oldest);
    this.#tokens.set(id, { token, until: this.#clock.monotonic() + LASTS_MS });
    return `${COOKIE}=${id}; Path=${path}; HttpOnly; SameSite=Strict; Max-Age=${LASTS_MS / 1000}${secure ? '; Secure' : ''}`;
  }

  /** Of the bearer token, else of the session. */
  tokenOf(headers: Headers): string | undefined {
    const bearer = /^Bearer +([\w.~+/=-]+)$/i.exec(headers.get('authorization') ?? '')?.[1];
    if (bearer !== undefined) return bearer;
    for (const [, id = ''] of (headers.get('cookie') ?? '').matchAll(SESSION)) {
      const session = this.#tokens.get(id);
      if (session !== undefined && session.until > this.#clock.monotonic()) return session.token;
    }
    return undefined;
  }
}
