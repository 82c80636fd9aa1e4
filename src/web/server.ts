/** The page, health and metrics over HTTP, with tight limits on everything. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { codeOf, toError } from '../errors.ts';
import { isLoopback } from '../loopback.ts';
import { createWebApp } from './app.ts';
import { loadAssets } from './assets.ts';
import { limitConnections } from './connections.ts';
import { Feed } from './feed.ts';
import { CLOSED, closedGate, clusterGate, loopbackGate, openGate, tokenGate, type Gate } from './gate.ts';
import type { WebConfig } from '../config/config.ts';
import { addExporterMetrics } from './exporter-metrics.ts';
import { collectProcessMetrics } from '../metrics.ts';
import type { ServiceView } from './service-view.ts';
import { routesOf } from './routes.ts';
import { Sessions } from './sessions.ts';

export interface Web {
  /** `host:port`; undefined if the address was not available and the service goes on without. */
  readonly address: string | undefined;
  close(): Promise<void>;
}

export interface WebOptions {
  /** `host:port`, `:port`, or `[::1]:port`; port 0 lets the system pick. */
  readonly listen: string;
  readonly service: ServiceView;
  readonly settings: WebConfig;
}

const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  // Checked every 30 s by default: a timeout of 10 s would take up to 40.
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1024,
  keepAliveTimeout: 5_000,
};
/** For requests without a Host: HTTP/1.0, such as HAProxy's health checks. The guard uses the header as sent. */
const NAMELESS = { hostname: 'localhost' };

/** Does not throw if the address is taken or refused: logs a line, and the service goes on without. */
export async function startWeb({ listen: at, service, settings }: WebOptions): Promise<Web> {
  const { metrics, clock, log } = service;
  collectProcessMetrics(metrics);
  if (settings.exporterMetrics !== undefined) addExporterMetrics(metrics, settings.exporterMetrics);
  const gate = gateFor(at, settings, service);
  const feed = new Feed(service);
  const sessions = new Sessions(clock);
  const routes = routesOf({ service, settings, assets: await loadAssets(), feed, gate, sessions });
  const app = createWebApp({ routes, settings, gate, sessions, log });
  const server = createServer(LIMITS);
  limitConnections(server, getRequestListener(app.fetch, NAMELESS));
  try {
    await listen(server, at);
  } catch (error) {
    log.warn('The page, health and metrics are not available, continuing without them', {
      listen: at,
      problem: codeOf(error) === 'EADDRINUSE' ? 'the address is in use' : toError(error).message,
      remedy: 'choose another with --listen HOST:PORT',
    });
    return { address: undefined, close: async () => {} };
  }
  const { address: host, port, family } = server.address() as AddressInfo;
  const address = family === 'IPv6' ? `[${host}]:${port}` : `${host}:${port}`;
  if (gate.kind === 'open')
    log.warn('Anyone who can reach this address may see and do everything ([web] open)', { address });
  log.info('Listening', { address, access: gate.kind, ...(gate.kind === 'closed' ? { remark: CLOSED } : {}) });
  return {
    address,
    async close() {
      feed.stop();
      await close(server);
    },
  };
}

/** A token comes first, then the cluster, then `open`, if configured; otherwise loopback is open, any other address closed. */
function gateFor(at: string, { token, clusterAccess, open }: WebConfig, service: ServiceView): Gate {
  if (token !== undefined) return tokenGate(token);
  if (clusterAccess) return clusterGate(() => service.api(), service.clock);
  if (open) return openGate;
  return isLoopback(parseListen(at).host) ? loopbackGate : closedGate;
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

/**
 * `127.0.0.1:8080`, `[::1]:8080`, or `:8080`: without a host, every address, of IPv6 if the machine has it and of IPv4.
 * @throws RangeError for anything else
 */
export function parseListen(at: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]*)):(?<port>\d{1,5})$/.exec(at);
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65_535) {
    throw new RangeError(`Cannot listen on ${JSON.stringify(at)}: expected HOST:PORT such as 127.0.0.1:8080`);
  }
  return { host: match.groups?.['v6'] ?? match.groups?.['host'] ?? '', port };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
