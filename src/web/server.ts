/** Health and metrics over HTTP: `/livez`, `/readyz`, `/metrics`. Reads only; small limits; nothing secret to show. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics } from 'prom-client';
import { codeOf, toError } from '../errors.ts';
import type { Health } from '../health.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ScopeHealth } from '../source/source.ts';

export interface Web {
  /** `host:port`; undefined when the address was taken and the service goes on without. */
  readonly address: string | undefined;
  close(): Promise<void>;
}

export interface WebOptions {
  /** `host:port`, `:port`, or `[::1]:port`; port 0 lets the system pick. */
  readonly listen: string;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly health: () => Health;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const LIMITS = { headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16 * 1024, keepAliveTimeout: 5_000 };
const MAX_CONNECTIONS = 256;

/** Never throws for an address that is taken or refused: one line, and the service goes on without. */
export async function startWeb(options: WebOptions): Promise<Web> {
  collectDefaultMetrics({ register: options.metrics.registry, prefix: 'watchchain_' });
  const server = createServer(LIMITS, (request, response) => {
    respond(request, options).then(
      (answer) => send(response, answer, request.method === 'HEAD'),
      (error: unknown) => {
        options.log.error('A page could not be made', { error: toError(error).message });
        send(response, text(500, 'internal error\n'), false);
      },
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  try {
    await listen(server, options.listen);
  } catch (error) {
    options.log.warn('The health and metrics endpoints are not available, going on without', {
      listen: options.listen,
      problem: codeOf(error) === 'EADDRINUSE' ? 'the address is in use' : toError(error).message,
      remedy: 'choose another with --listen HOST:PORT',
    });
    return { address: undefined, close: async () => {} };
  }
  const { address: host, port, family } = server.address() as AddressInfo;
  const address = family === 'IPv6' ? `[${host}]:${port}` : `${host}:${port}`;
  options.log.info('Listening', { address });
  return { address, close: () => close(server) };
}

async function respond(request: IncomingMessage, { metrics, health }: WebOptions): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET and HEAD are answered\n');
  const [path = ''] = (request.url ?? '').split('?', 1);
  switch (path) {
    case '/livez':
      return text(200, 'ok\n');
    case '/readyz':
      return readiness(health());
    case '/metrics':
      return { status: 200, type: metrics.registry.contentType, body: await metrics.registry.metrics() };
    default:
      return text(404, 'not found: /livez, /readyz and /metrics are served\n');
  }
}

/** One line of state, then one line per degraded kind. A degraded kind does not make the service unready: it would not help the others. */
function readiness(health: Health): Answer {
  const state = health.ready ? (health.degraded.length === 0 ? 'ok' : 'ok, degraded') : `not ready: ${health.phase}`;
  const waiting = health.scopes.filter((scope) => scope.state === 'starting' || scope.state === 'listing');
  const lines = [
    state,
    ...waiting.map((scope) => `${scope.state}: ${nameOf(scope)}`),
    ...health.degraded.map(problemOf),
    ...(health.configProblem === undefined ? [] : [`configuration not reloaded: ${health.configProblem}`]),
  ];
  return text(health.ready ? 200 : 503, `${lines.join('\n')}\n`);
}

function problemOf(scope: ScopeHealth): string {
  return `degraded: ${nameOf(scope)}: ${scope.problem ?? 'unknown'}`;
}

function nameOf(scope: ScopeHealth): string {
  const where = scope.namespace === '' ? '' : ` in ${scope.namespace}`;
  return `${scope.resource ?? scope.kind}${where}`;
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body };
}

function send(response: ServerResponse, { status, type, body }: Answer, headOnly: boolean): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(headOnly ? undefined : body);
}

function listen(server: Server, at: string): Promise<void> {
  const { host, port } = parseListen(at);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** `127.0.0.1:8080`, `:8080` (every address) or `[::1]:8080`. Throws a RangeError that says so. */
export function parseListen(at: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]*)):(?<port>\d{1,5})$/.exec(at);
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65_535) {
    throw new RangeError(`Cannot listen on ${JSON.stringify(at)}: expected HOST:PORT such as 127.0.0.1:8080`);
  }
  return { host: match.groups?.['v6'] ?? (match.groups?.['host'] || '0.0.0.0'), port };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
