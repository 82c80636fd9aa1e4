/** Requests that a page of somebody else makes a browser send: refused before anything else is asked. */
import { isIP } from 'node:net';

export interface GuardOptions {
  /** Names under which we are reached, without port; those of loopback and addresses are always right. */
  readonly hosts: readonly string[];
}

/** What is wrong with a request; undefined: nothing. */
export type Guard = (request: Request) => { readonly status: 403 | 415 | 421; readonly problem: string } | undefined;

/** A page cannot send it across origins without asking first, which we never allow. */
export const WRITE_HEADER = 'x-watchchain';

/**
 * A name that DNS can be made to lead here is no name of ours (DNS rebinding): `Host` must be one that was configured, loopback,
 * or an address. What changes something must come from our own origin, as JSON, and with {@link WRITE_HEADER}.
 */
export function createGuard({ hosts }: GuardOptions): Guard {
  const ours = new Set(hosts.map((host) => host.toLowerCase()));
  return (request) => {
    const host = request.headers.get('host') ?? '';
    const name = hostname(host);
    if (name === undefined || !(name === 'localhost' || ours.has(name) || isIP(name) !== 0)) {
      return {
        status: 421,
        problem: `this server is not known as ${JSON.stringify((name ?? host).slice(0, 100))}: see [web] hosts`,
      };
    }
    return ['GET', 'HEAD', 'OPTIONS'].includes(request.method) ? undefined : strangeWrite(request, host, ours);
  };
}

function strangeWrite(request: Request, host: string, ours: ReadonlySet<string>): ReturnType<Guard> {
  const origin = request.headers.get('origin');
  const site = request.headers.get('sec-fetch-site');
  const isStrange = origin !== null && !isOwnOrigin(origin, host, ours);
  if (isStrange || (site !== null && site !== 'same-origin' && site !== 'none')) {
    return { status: 403, problem: 'the request comes from another site' };
  }
  if (!/^application\/json\b/i.test(request.headers.get('content-type') ?? '')) {
    return { status: 415, problem: 'the body must be application/json' };
  }
  return request.headers.has(WRITE_HEADER)
    ? undefined
    : { status: 403, problem: `the header ${WRITE_HEADER} is missing: any value will do` };
}

/** Without port and brackets, in lower case; undefined when it is no host. */
function hostname(host: string): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/** A proxy may have put its own name into `Host`: then the browser's is one of those that were configured. */
function isOwnOrigin(origin: string, host: string, ours: ReadonlySet<string>): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  return url.host === host || ours.has(url.hostname);
}
