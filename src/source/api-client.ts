/** The {@link ApiClient} over undici: HTTP/1.1, one agent per cluster and TLS material, every wait with a deadline. */
import type { Socket } from 'node:net';
import { Agent, buildConnector, ProxyAgent, request, type Dispatcher } from 'undici';
import { hiderOf, secretsOf } from '../delivery/scrub.ts';
import { codeOf, toError } from '../errors.ts';
import { tunnelsWithin } from '../proxy.ts';
import { readWhole } from './read-whole.ts';
import { unlessAborted } from '../until-aborted.ts';
import { VERSION } from '../version.ts';
import {
  NoAnswerError,
  type ApiClient,
  type ApiResponse,
  type ApiStream,
  type Query,
  type RequestOptions,
} from './api.ts';
import type { ConnectOptions, Credentials } from './credentials.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** As in client-go: below the idle timeouts of load balancers, which are 60 s or more. */
const KEEP_ALIVE_PROBE_MS = 30_000;
/** More than any response that is buffered whole: a page of 500 objects of 1.5 MB, etcd's limit. */
const MAX_BODY_BYTES = 1024 ** 3;

type Method = 'GET' | 'POST' | 'PUT';
interface Outgoing extends Pick<RequestOptions, 'query' | 'body' | 'accept'> {
  readonly method: Method;
  readonly path: string;
  readonly signal: AbortSignal;
}

/** Connects on the first request. `close` does not wait: it aborts requests in flight. */
export function createApiClient(credentials: Credentials): ApiClient {
  return new UndiciApiClient(credentials);
}

class UndiciApiClient implements ApiClient {
  readonly host: string;
  readonly #credentials: Credentials;
  #agent: { readonly tls: ConnectOptions; readonly dispatcher: Dispatcher } | undefined;
  readonly #retired = new Set<Dispatcher>();
  /** On destroy, undici leaves sockets that are still connecting alone: they keep the process alive until the connect timeout. */
  readonly #connecting = new Set<Socket>();
  /** The last two `Authorization` headers that were sent. */
  #secrets: readonly string[] = [];
  #hide: ApiResponse['hide'];

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
    this.host = credentials.server.host;
  }

  async request(method: Method, path: string, options: RequestOptions = {}): Promise<ApiResponse> {
    const { signal, timeoutMs = REQUEST_TIMEOUT_MS } = options;
    const deadline = AbortSignal.timeout(timeoutMs);
    const combinedSignal = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    try {
      // undici checks the signal only once it has a connection, or has failed to get one in time.
      const response = await unlessAborted(
        this.#send({ ...options, method, path, signal: combinedSignal }),
        combinedSignal,
      );
      return {
        ...this.#headOf(response),
        body: await readWhole(response.body, MAX_BODY_BYTES, 'the answer is larger than'),
      };
    } catch (thrown) {
      if (signal?.aborted === true) throw signal.reason;
      const cause = deadline.aborted ? new Error(`no complete answer within ${timeoutMs / 1000} s`) : thrown;
      throw this.#failure(method, path, cause);
    }
  }

  async stream(path: string, query: Query, signal: AbortSignal): Promise<ApiStream> {
    try {
      const response = await unlessAborted(this.#send({ method: 'GET', path, query, signal }), signal);
      return { ...this.#headOf(response), body: response.body };
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      throw this.#failure('GET', path, thrown);
    }
  }

  async close(): Promise<void> {
    const dispatchers = [...this.#retired, ...(this.#agent === undefined ? [] : [this.#agent.dispatcher])];
    this.#agent = undefined;
    const destroyed = dispatchers.map((dispatcher) => dispatcher.destroy());
    for (const socket of this.#connecting) socket.destroy();
    this.#credentials.close();
    await Promise.all(destroyed);
  }

  /** Retries a 401 once with fresh credentials: tokens expire while a process runs for months. */
  async #send(outgoing: Outgoing): Promise<Dispatcher.ResponseData> {
    const first = await this.#sendOnce(outgoing);
    if (first.statusCode !== 401) return first;
    // The body is not needed, and its end may never come.
    first.body.on('error', () => {}).destroy();
    this.#credentials.refresh();
    return this.#sendOnce(outgoing);
  }

  async #sendOnce({
    method,
    path,
    query,
    body,
    accept = 'application/json',
    signal,
  }: Outgoing): Promise<Dispatcher.ResponseData> {
    const [dispatcher, identity] = await Promise.all([this.#dispatcher(), this.#credentials.headers()]);
    this.#rememberSecret(identity['authorization']);
    signal.throwIfAborted();
    return request(this.#url(path, query), {
      method,
      dispatcher,
      headers: {
        'user-agent': `watchchain/${VERSION}`,
        accept,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...identity,
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal,
      // Not options of the dispatcher: some ways through a proxy do not pass these on.
      headersTimeout: HEADERS_TIMEOUT_MS,
      bodyTimeout: 0,
    });
  }

  /** A stream may outlive its token, so the one before is hidden, too. */
  #rememberSecret(authorization: string | string[] | undefined): void {
    if (typeof authorization !== 'string' || authorization === this.#secrets[0]) return;
    this.#secrets = [authorization, ...this.#secrets.slice(0, 1)];
    this.#hide = hiderOf(this.#secrets.flatMap(secretsOf));
  }

  #headOf(response: Dispatcher.ResponseData): Omit<ApiResponse, 'body'> {
    return { ...responseHead(response), hide: this.#hide };
  }

  #url(path: string, query: Query = {}): URL {
    const url = new URL(this.#credentials.server);
    url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  /** Makes a new agent when a certificate or CA was replaced; streams on the old one continue. */
  async #dispatcher(): Promise<Dispatcher> {
    const tls = await this.#credentials.tls();
    if (this.#agent?.tls === tls) return this.#agent.dispatcher;
    if (this.#agent !== undefined) this.#retire(this.#agent.dispatcher);
    const dispatcher = createDispatcher(tls, this.#credentials.proxy, this.#connecting);
    this.#agent = { tls, dispatcher };
    return dispatcher;
  }

  #retire(dispatcher: Dispatcher): void {
    this.#retired.add(dispatcher);
    const forget = () => this.#retired.delete(dispatcher);
    dispatcher.close().then(forget, forget);
  }

  #failure(method: Method, path: string, thrown: unknown): NoAnswerError {
    const { proxy } = this.#credentials;
    const viaProxy = proxy === undefined ? '' : ` through the proxy ${proxy.host}`;
    const problem = `${this.host}${viaProxy}: ${describe(thrown)}`;
    return new NoAnswerError(`${method} ${path}`, problem, { code: codeOf(thrown), cause: thrown });
  }
}

/** HTTP/1.1 on purpose: each watch has its own socket, so a stalled one does not hold up the others. */
function createDispatcher(tls: ConnectOptions, proxy: URL | undefined, connecting: Set<Socket>): Dispatcher {
  const connect = { ...tls, timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS };
  if (proxy === undefined)
    return new Agent({
      allowH2: false,
      connect: trackConnecting(buildConnector({ ...connect, allowH2: false }), connecting),
    });
  return new ProxyAgent({
    allowH2: false,
    uri: proxy.href,
    requestTls: { ...connect, allowH2: false },
    connectTimeout: CONNECT_TIMEOUT_MS,
    clientFactory: tunnelsWithin(HEADERS_TIMEOUT_MS),
  });
}

/** Wraps `connect` to keep the sockets that are still connecting in `connecting`. */
function trackConnecting(connect: buildConnector.connector, connecting: Set<Socket>): buildConnector.connector {
  return (options, callback) => {
    const socket = connect(options, (...result) => {
      if (socket !== undefined) connecting.delete(socket);
      callback(...result);
    }) as unknown as Socket | undefined;
    if (socket !== undefined) connecting.add(socket);
  };
}

function responseHead({ statusCode, headers }: Dispatcher.ResponseData): Pick<ApiResponse, 'status' | 'headers'> {
  const entries = Object.entries(headers).filter(([, value]) => value !== undefined);
  return { status: statusCode, headers: Object.fromEntries(entries.map(([name, value]) => [name, String(value)])) };
}

/** Codes of node:net, node:tls and undici in words, with a remedy if there is one. */
const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name cannot be looked up at the moment',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: `no connection within ${CONNECT_TIMEOUT_MS / 1000} s`,
  UND_ERR_HEADERS_TIMEOUT: `no answer within ${HEADERS_TIMEOUT_MS / 1000} s`,
  UND_ERR_SOCKET: 'the connection was closed before the answer was complete',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not signed by the certificate-authority of the kubeconfig',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed; set certificate-authority in the kubeconfig',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not signed by the certificate-authority of the kubeconfig',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an unknown authority',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host; see tls-server-name in the kubeconfig',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS there; use `http://` for a server without TLS',
};

/** OpenSSL's errors on loading the client certificate and key, for example because only one of the files was replaced yet. */
function tlsMaterialProblem(code: string): string | undefined {
  return code.startsWith('ERR_OSSL_')
    ? 'the client certificate of the kubeconfig and its key cannot be used together'
    : undefined;
}

function describe(thrown: unknown): string {
  const error = toError(thrown);
  const code = codeOf(error);
  const meaning =
    code === undefined ? undefined : (MEANINGS[code] ?? tlsMaterialProblem(code) ?? handshakeProblem(code, error));
  return meaning === undefined ? error.message || code || error.name : `${meaning} (${code})`;
}

/** OpenSSL's message wraps its reason in the thread and a source line. */
function handshakeProblem(code: string, { reason }: Error & { readonly reason?: unknown }): string | undefined {
  return code.startsWith('ERR_SSL_') && typeof reason === 'string' ? `TLS: ${reason}` : undefined;
}
