/** Connections to receivers: one pool for all with default needs, and one for each TLS setting or permitted address. */
import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, ProxyAgent, type Dispatcher } from 'undici';
import { proxyFromEnv, tunnelsWithin } from '../proxy.ts';
import { guardedLookup } from './egress.ts';
import { singleFlight } from './single-flight.ts';
import { TlsFiles, type SecureSettings, type TlsOptions } from './tls.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** For a proxy to connect to a receiver. A request that gave up earlier leaves its place in the pool occupied until then. */
const TUNNEL_TIMEOUT_MS = 10_000;
/** Per receiver host; in practice the chains' concurrency is the limit. */
const MAX_CONNECTIONS = 16;

/** What a receiver's connections need beyond the defaults. */
export interface ConnectionNeeds {
  /** Its origin determines whether to use a proxy. */
  readonly url: URL;
  readonly tls?: TlsOptions | undefined;
  /** Addresses and ranges to which a name may lead although {@link guardedLookup} refuses them. */
  readonly allowAddresses?: readonly string[] | undefined;
}

/** How to connect to one receiver. */
export interface Route {
  /** Host and port of the proxy, if any. */
  readonly proxy: string | undefined;
  /** The dispatcher for the next request; a new one after a certificate was replaced. @throws if a file cannot be read */
  dispatcher(): Dispatcher | Promise<Dispatcher>;
}

export class Connections {
  readonly #env: NodeJS.ProcessEnv;
  readonly #lookup: LookupFunction;
  readonly #routes = new Map<string, Route & { close(): Promise<void> }>();

  /**
   * @param env for `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`; a proxy resolves names itself
   * @param lookup resolves names; the system's by default
   */
  constructor(env: NodeJS.ProcessEnv, lookup: LookupFunction = systemLookup) {
    this.#env = env;
    this.#lookup = singleFlight(lookup);
  }

  /** Receivers with equal needs share one. @throws ConfigError if the variable that names the proxy is not a URL */
  route(needs: ConnectionNeeds): Route {
    const proxy = proxyFromEnv(needs.url, this.#env);
    const key = JSON.stringify([needs.tls ?? {}, needs.allowAddresses ?? [], proxy]);
    const route = this.#routes.get(key) ?? this.#create(needs, proxy);
    this.#routes.set(key, route);
    return route;
  }

  /** Closes all connections; requests in flight fail. */
  async close(): Promise<void> {
    await Promise.all([...this.#routes.values()].map((route) => route.close()));
  }

  #create(
    { tls = {}, allowAddresses = [] }: ConnectionNeeds,
    proxy: URL | undefined,
  ): Route & { close(): Promise<void> } {
    const lookup = guardedLookup(allowAddresses, this.#lookup);
    const create = (secure: SecureSettings): Dispatcher => createDispatcher(proxy, { ...secure, lookup });
    const hasFiles = (tls.caFile ?? tls.certFile) !== undefined;
    if (hasFiles || tls.serverName !== undefined || tls.insecureSkipVerify === true) {
      return new TlsRoute(tls, create, proxy?.host);
    }
    const dispatcher = create({});
    return { proxy: proxy?.host, dispatcher: () => dispatcher, close: () => dispatcher.destroy() };
  }
}

/** Connections that are replaced when a file was replaced; the old ones finish their requests. */
class TlsRoute implements Route {
  readonly proxy: string | undefined;
  readonly #files: TlsFiles;
  readonly #create: (secure: SecureSettings) => Dispatcher;
  #current: { readonly secure: SecureSettings; readonly dispatcher: Dispatcher } | undefined;

  constructor(tls: TlsOptions, create: (secure: SecureSettings) => Dispatcher, proxy: string | undefined) {
    this.#files = new TlsFiles(tls);
    this.#create = create;
    this.proxy = proxy;
  }

  async dispatcher(): Promise<Dispatcher> {
    const secure = await this.#files.read();
    if (this.#current?.secure === secure) return this.#current.dispatcher;
    const old = this.#current?.dispatcher;
    this.#current = { secure, dispatcher: this.#create(secure) };
    // Waits for requests in flight, which have deadlines; no need to await it here.
    old?.close().catch(() => undefined);
    return this.#current.dispatcher;
  }

  async close(): Promise<void> {
    await this.#current?.dispatcher.destroy();
  }
}

function createDispatcher(
  proxy: URL | undefined,
  connect: SecureSettings & { readonly lookup: LookupFunction },
): Dispatcher {
  // HTTP/1.1 only: with HTTP/2, losing one connection fails everything in flight on it.
  const options = {
    connect: { ...connect, timeout: CONNECT_TIMEOUT_MS },
    requestTls: connect,
    connections: MAX_CONNECTIONS,
    allowH2: false,
  };
  if (proxy === undefined) return new Agent(options);
  return new ProxyAgent({ ...options, uri: proxy.href, clientFactory: tunnelsWithin(TUNNEL_TIMEOUT_MS) });
}
