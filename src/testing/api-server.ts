/**
 * The embedded API server: speaks enough of the Kubernetes API over real HTTP for this program, kubectl and curl, and fails on
 * demand. Used by the tests, the benchmark and `watchchain demo`.
 */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../clock.ts';
import type { Manifest } from '../change.ts';
import { readWhole } from '../source/read-whole.ts';
import type { AccessRule } from './api-server/access.ts';
import { Cluster, type WriteOptions } from './api-server/cluster.ts';
import { Faults, type AnswerEffect, type Fault, type FaultHandle } from './api-server/faults.ts';
import type { ResourceType } from './api-server/resource-types.ts';
import { isWatch, json, respond, route, type RouteResponse } from './api-server/routes.ts';
import { statusBody, StatusError } from './api-server/status.ts';
import { keyOf } from './api-server/storage.ts';
import { WatchStream } from './api-server/watch-stream.ts';
import { PATIENCE_MS, Waiters } from './waiters.ts';

export type { AccessRule } from './api-server/access.ts';
export type { Fault, FaultHandle } from './api-server/faults.ts';
export type { ResourceType } from './api-server/resource-types.ts';

export interface ApiServerOptions {
  /** Kinds to serve besides the built-in ones, as custom resources. */
  readonly resources?: readonly ResourceType[];
  /** The cluster's identity; all uids derive from it. Default: random. */
  readonly kubeSystemUid?: string;
  /** If set, requests without it as their bearer token get 401. */
  readonly token?: string;
  /** The maximum page size of a list, whatever the request says. Default: no limit. */
  readonly pageLimit?: number;
  /** Between bookmarks, in milliseconds. Default 60,000, like the real server. */
  readonly bookmarkEveryMs?: number;
  /** Serve `sendInitialEvents` on watches; otherwise refuse it like a server without WatchList. Default false. */
  readonly watchList?: boolean;
  /** Default: a free one. */
  readonly port?: number;
  /** PEM. Default: plain HTTP. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** For the timestamps of objects. Default: the system's clock. */
  readonly clock?: Clock;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly headers: IncomingHttpHeaders;
}

/** Requests kept in {@link ApiServer.requests}. */
const MAX_SEEN = 10_000;

/** Far more than any write in a test; etcd itself refuses more than 1.5 MiB. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** Starts a server on 127.0.0.1 with four empty namespaces. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const server = new ApiServer(options);
  await server.listen();
  return server;
}

export class ApiServer implements AsyncDisposable {
  /** The last 10,000, oldest first. */
  readonly requests: SeenRequest[] = [];
  readonly #options: ApiServerOptions;
  readonly #cluster: Cluster;
  readonly #faults = new Faults();
  readonly #streams = new Set<WatchStream>();
  readonly #waiters = new Waiters();
  #access: AccessRule = () => true;
  #token: string | undefined;
  #tls: ApiServerOptions['tls'];
  #server: Server | undefined;
  #port: number;

  /** Use {@link startApiServer}. */
  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#cluster = new Cluster(options);
    this.#token = options.token;
    this.#tls = options.tls;
    this.#port = options.port ?? 0;
    for (const type of options.resources ?? []) this.#cluster.types.add(type);
  }

  get url(): string {
    return `${this.#tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  /** The last one assigned: each write takes the next. */
  get resourceVersion(): number {
    return this.#cluster.revision.current;
  }

  /** By apiVersion and kind. Fills uid, resourceVersion, creationTimestamp, generation and managedFields. */
  create(manifest: object, options?: WriteOptions): Manifest {
    return this.#cluster.create(manifest, options);
  }

  /**
   * Replaces by kind, namespace and name, including `status` unless a subresource is named; writes nothing if nothing changes.
   * Throws StatusError for an object that does not exist or a resourceVersion that is not current.
   */
  update(manifest: object, options?: WriteOptions): Manifest {
    return this.#cluster.update(manifest, options);
  }

  /**
   * Adds or replaces objects as given, including managedFields, except for their resourceVersions; returns the last of these.
   * Cheap: for large clusters and bursts.
   */
  putAll(manifests: readonly Manifest[]): string {
    this.#cluster.putAll(manifests);
    return String(this.#cluster.revision.current);
  }

  /** An object with finalizers is only marked as terminating. Throws StatusError for an object that does not exist. */
  delete(kind: string, name: string, namespace?: string): void {
    const type = this.#cluster.types.byKind(kind);
    this.#cluster.delete(type, keyOf(name, type.namespaced ? (namespace ?? 'default') : ''));
  }

  get(kind: string, name: string, namespace?: string): Manifest | undefined {
    const type = this.#cluster.types.byKind(kind);
    return this.#cluster.get(type, keyOf(name, type.namespaced ? (namespace ?? 'default') : ''));
  }

  /** Sets what `kubectl logs` prints for a pod from now on, for any container. */
  setLog(name: string, namespace: string, text: string): void {
    this.#cluster.logs.set(keyOf(name, namespace), text);
  }

  /** Installs a custom resource while running. */
  addResource(type: ResourceType): void {
    this.#cluster.types.add(type);
  }

  /** Removes a kind. Its objects are kept for when it is added again. Open watches end, as when a CRD is removed. */
  removeResource(type: Pick<ResourceType, 'group' | 'version' | 'resource'>): void {
    this.#cluster.types.remove(type);
    const collection = `/${type.group}/${type.version}/`;
    for (const stream of this.#streams) {
      if (stream.target.path.includes(collection) && stream.target.path.endsWith(`/${type.resource}`)) stream.end();
    }
  }

  /** From now on, older watches and continue tokens get 410. */
  compact(): void {
    this.#cluster.compact();
  }

  /** Sends a bookmark in each open watch that asked for them. */
  bookmark(): void {
    for (const stream of this.#streams) stream.bookmark();
  }

  /** Sets who may do what from now on; refusals are worded like RBAC's. Default: everything is allowed. */
  allow(rule: AccessRule): void {
    this.#access = rule;
  }

  /** Sets the only token that is accepted from now on; open watches go on, as on the real server. */
  rotateToken(token: string): void {
    this.#token = token;
  }

  /** Sets the certificate to use from the next {@link restart} on. Only for a server that was started with TLS. */
  rotateCertificate(tls: NonNullable<ApiServerOptions['tls']>): void {
    this.#tls = tls;
  }

  /** Makes requests or open watches fail. Of several matching faults, the first added applies. */
  fault(fault: Fault): FaultHandle {
    const handle = this.#faults.add(fault);
    for (const stream of this.#streams) stream.pump();
    return handle;
  }

  /** Resolves when at least `n` watches are open, of `path` if given. Rejects after a minute. */
  async waitForWatches(n: number, path?: string): Promise<void> {
    const open = (): number => [...this.#streams].filter(({ target }) => (path ?? target.path) === target.path).length;
    const describe = (): string => `${n} watches of ${path ?? 'anything'} wanted, ${open()} are open`;
    await this.#waiters.until(() => open() >= n, PATIENCE_MS, describe);
  }

  /** Resolves when the condition holds; checked after each request and each watch that opens or ends. Rejects after a minute. */
  async waitUntil(condition: () => boolean, describe: string): Promise<void> {
    await this.#waiters.until(condition, PATIENCE_MS, () => describe);
  }

  /**
   * Drops every connection and comes back on the same port with the same data.
   * @param whileDown runs while nothing listens.
   */
  async restart(whileDown?: () => void | Promise<void>): Promise<void> {
    await this.close();
    await whileDown?.();
    await this.listen();
  }

  /** Writes a kubeconfig file (mode 0600) for this server and returns its path. */
  async writeKubeconfig(path: string): Promise<string> {
    const user = this.#token === undefined ? {} : { token: this.#token };
    const ca = this.#tls?.cert;
    const authority = ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'embedded',
      clusters: [{ name: 'embedded', cluster: { server: this.url, ...authority } }],
      users: [{ name: 'embedded', user }],
      contexts: [{ name: 'embedded', context: { cluster: 'embedded', user: 'embedded' } }],
    };
    await writeFile(path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
    return path;
  }

  /** Idempotent. Drops every connection. */
  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Use {@link startApiServer} or {@link ApiServer.restart}. */
  async listen(): Promise<void> {
    const tls = this.#tls;
    const handle = (message: IncomingMessage, response: ServerResponse): void => {
      // Fails only if the client is gone, which then needs no answer.
      this.#handle(message, response).catch(() => message.destroy());
    };
    const limits = { keepAliveTimeout: 120_000, requestTimeout: 0 };
    const server = tls === undefined ? createServer(limits, handle) : createTlsServer({ ...limits, ...tls }, handle);
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams: query } = new URL(message.url ?? '/', 'http://host');
    const { method = 'GET', headers } = message;
    this.requests.push({ method, path, query, at: Date.now(), headers });
    if (this.requests.length > 2 * MAX_SEEN) this.requests.splice(0, MAX_SEEN);
    const body = (await readWhole(message, MAX_BODY_BYTES, 'Cannot take a body of more than')).toString();
    const fault = this.#faults.forRequest({ method, path, watch: isWatch(query) });
    this.#waiters.check();
    if (fault?.effect === 'hang') return;
    if (fault?.effect === 'hangAfterHeaders')
      return response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    if (fault?.effect === 'reset') return void message.socket.resetAndDestroy();
    const outcome = this.#answer(message, path, query, body, fault);
    if (fault?.effect === 'delay') await new Promise((resolve) => setTimeout(resolve, fault.ms).unref());
    if (outcome instanceof WatchStream) this.#open(outcome, response);
    else send(response, fault, outcome);
  }

  #answer(
    { method = 'GET', headers }: IncomingMessage,
    path: string,
    query: URLSearchParams,
    body: string,
    fault: AnswerEffect | undefined,
  ): RouteResponse | WatchStream {
    try {
      if (fault?.effect === 'status') throw new StatusError(fault.status, fault);
      if (this.#token !== undefined && headers.authorization !== `Bearer ${this.#token}`) throw new StatusError(401);
      const context = {
        cluster: this.#cluster,
        faults: this.#faults,
        access: this.#access,
        pageLimit: this.#options.pageLimit,
        bookmarkEveryMs: this.#options.bookmarkEveryMs ?? 60_000,
        watchList: this.#options.watchList ?? false,
      };
      const { accept = '', 'content-type': contentType = '', 'user-agent': userAgent = '' } = headers;
      return route(context, { method, path, query, accept, contentType, userAgent, body });
    } catch (error) {
      if (error instanceof StatusError) {
        const { retryAfterSeconds, plainText } = error.options;
        if (plainText !== undefined) return respond(plainText, 'text/plain; charset=utf-8', error.status);
        const answer = json(statusBody(error.status, error.options), error.status);
        return retryAfterSeconds === undefined ? answer : { ...answer, retryAfterSeconds };
      }
      return json(statusBody(500, { message: `Internal error occurred: ${String(error)}` }), 500);
    }
  }

  #open(stream: WatchStream, response: ServerResponse): void {
    this.#streams.add(stream);
    response.on('close', () => {
      this.#streams.delete(stream);
      this.#waiters.check();
    });
    stream.open(response);
    this.#waiters.check();
  }
}

function send(response: ServerResponse, fault: AnswerEffect | undefined, answer: RouteResponse): void {
  const { status, retryAfterSeconds, body } = answer;
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  if (fault?.effect === 'contentType') {
    response.writeHead(200, { 'content-type': fault.contentType }).end(fault.body ?? Buffer.concat(body));
    return;
  }
  const whole = Buffer.concat(body);
  const sent = fault?.effect === 'truncate' ? whole.subarray(0, whole.length >> 1) : whole;
  response.writeHead(status, { 'content-type': answer.contentType, ...headers }).end(sent);
}
