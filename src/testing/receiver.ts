/** A captured receiver: a real HTTP server that records requests and gives scripted answers. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { PATIENCE_MS, Waiters } from './waiters.ts';

export interface CapturedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values alternating, as received: duplicates are kept. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
  /** When the body was complete, milliseconds since the epoch. */
  readonly at: number;
}

/** How to answer a request. Default: 200 `ok` at once. */
export interface ReceiverAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Wait this long before answering. */
  readonly delayMs?: number;
  /** Wait for this before answering. */
  readonly after?: Promise<unknown>;
  /** Never answer; the connection stays open. */
  readonly hang?: boolean;
  /** Answer with a TCP reset. */
  readonly reset?: boolean;
  /** Answer with these bytes, whatever they are, and close the connection. */
  readonly raw?: string;
}

export interface CapturedReceiver extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, no slash at the end. */
  readonly url: string;
  /** In order of completion; hanging requests count too. */
  readonly requests: readonly CapturedRequest[];
  /** Resolves when at least `n` requests have come in total. Rejects after `timeoutMs`, default a minute. */
  waitFor(n: number, timeoutMs?: number): Promise<void>;
  readonly openSockets: number;
  close(): Promise<void>;
}

/**
 * Starts a receiver on 127.0.0.1.
 * @param respond chooses the answer; `n` counts requests from 1.
 * @param wantedPort for a receiver that comes back; default: a free port.
 */
export async function startReceiver(
  respond: (request: CapturedRequest, n: number) => ReceiverAnswer = () => ({}),
  wantedPort = 0,
): Promise<CapturedReceiver> {
  const requests: CapturedRequest[] = [];
  const sockets = new Set<Socket>();
  const waiters = new Waiters();
  const timers = new Set<NodeJS.Timeout>();

  const capture = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await message.toArray()).toString();
    const { method = '', url = '', headers, rawHeaders } = message;
    const request = { method, path: url, headers, rawHeaders, body, at: Date.now() };
    const n = requests.push(request);
    const reply = respond(request, n);
    waiters.check();
    if (reply.hang === true) return;
    if (reply.reset === true) return void message.socket.resetAndDestroy();
    if (reply.raw !== undefined) return void message.socket.end(reply.raw);
    const answer = (): void => {
      response.writeHead(reply.status ?? 200, reply.headers).end(reply.body ?? 'ok');
    };
    await reply.after;
    if (reply.delayMs === undefined) return answer();
    const timer = setTimeout(() => {
      timers.delete(timer);
      answer();
    }, reply.delayMs);
    timers.add(timer);
  };

  const server = createServer({ keepAliveTimeout: 60_000 }, (message, response) => {
    // A request that its sender aborts does not count.
    capture(message, response).catch(() => message.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      waiters.check();
    });
  });
  server.listen(wantedPort, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const receiver: CapturedReceiver = {
    url: `http://127.0.0.1:${port}`,
    requests,
    get openSockets() {
      return sockets.size;
    },
    async waitFor(n, timeoutMs = PATIENCE_MS) {
      const wanted = (): boolean => requests.length >= n;
      await waiters.until(wanted, timeoutMs, () => `${n} requests wanted, ${requests.length} came`);
    },
    async close() {
      for (const timer of timers) clearTimeout(timer);
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await waiters.until(
        () => sockets.size === 0,
        10_000,
        () => `${sockets.size} sockets are still open`,
      );
    },
    [Symbol.asyncDispose]: () => receiver.close(),
  };
  return receiver;
}
