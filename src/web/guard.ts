/** Refuses requests that another site's page makes a browser send, before any other check. */
import { isIP } from 'node:net';

export interface GuardOptions {
  /** Host names of this server, without port; loopback names and IP addresses are always accepted. */
  readonly hosts: readonly string[];
}

interface GuardProblem {
  readonly status: 403 | 415 | 421;
  readonly problem: string;
}

/** Each says what is wrong with a request; undefined if nothing. */
export interface Guard {
  /** For every request. */
  host(request: Request): GuardProblem | undefined;
  /** For requests that change something. */
  write(request: Request): GuardProblem | undefined;
}

/** Cross-origin pages cannot send this header without a preflight, which we never allow. */
export const WRITE_HEADER = 'x-watchchain';

/**
 * Against DNS rebinding, where a foreign name is made to resolve to us: `Host` must be a configured name, loopback, or an IP
 * address. Writes must come from our own origin, as JSON, and with {@link WRITE_HEADER}.
 */
export function createGuard({ hosts }: GuardOptions): Guard {
  const own = new Set(hosts.map((host) => host.toLowerCase()));
  return {
    host: (request) => hostProblem(request.headers.get('host') ?? '', own),
    write: (request) => crossSiteWriteProblem(request, request.headers.get('host') ?? '', own),
  };
}

function hostProblem(host: string, own: ReadonlySet<string>): GuardProblem | undefined {
  const name = hostname(host);
  if (name !== undefined && (name === 'localhost' || own.has(name) || isIP(name) !== 0)) return undefined;
  return {
    status: 421,
    problem: `unknown host name ${JSON.stringify((name ?? host).slice(0, 100))}: see [web] hosts`,
  };
}

function crossSiteWriteProblem(request: Request, host: string, own: ReadonlySet<string>): GuardProblem | undefined {
  const origin = request.headers.get('origin');
  const site = request.headers.get('sec-fetch-site');
  const isCrossSite = origin !== null && !isOwnOrigin(origin, host, own);
  if (isCrossSite || (site !== null && site !== 'same-origin' && site !== 'none')) {
    return { status: 403, problem: 'the request comes from another site' };
  }
  if (!/^application\/json\b/i.test(request.headers.get('content-type') ?? '')) {
    return { status: 415, problem: 'the body must be application/json' };
  }
  return request.headers.has(WRITE_HEADER)
    ? undefined
    : { status: 403, problem: `the header ${WRITE_HEADER} is missing: any value will do` };
}

/** Without port and brackets, in lower case; undefined if it is not a host. */
function hostname(host: string): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/** A proxy may have replaced `Host`: then the origin must be one of the configured names. */
function isOwnOrigin(origin: string, host: string, own: ReadonlySet<string>): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  return url.host === host || own.has(url.hostname);
}
