/** Connections within limits: clients that send or read slowly must not hold up others, above all the probes. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const MAX_CONNECTIONS = 256;
/** How many of these may wait for their client: leaves room for the 50 viewers, and for requests. */
const MAX_IDLE = 200;

/** A request, and its response. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Answers requests. Never rejects. */
type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Has the server's requests answered, one at a time on each connection. */
export function limitConnections(server: Server, answer: Answer): void {
  /** The last exchange of each open connection, the oldest first; undefined before a connection's first. */
  const exchanges = new Map<Socket, Exchange | undefined>();
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket: Socket) => {
    exchanges.set(socket, undefined);
    socket.once('close', () => exchanges.delete(socket));
    const idle = [...exchanges].filter(([, exchange]) => isIdle(exchange));
    if (idle.length > MAX_IDLE) idle[0]?.[0].destroy();
  });
  server.on('request', (request, response) => {
    const { socket } = request;
    // Node would have all pipelined requests answered at once, and keep in memory what the client does not read. No browser
    // sends any, and no probe.
    if (exchanges.get(socket)?.response.writableFinished === false) return void socket.destroy();
    exchanges.delete(socket);
    exchanges.set(socket, { request, response });
    void answer(request, response);
  });
}

/** Whether the connection waits for its client: to send, as no response is sent before the body is complete, or to read. */
function isIdle(exchange: Exchange | undefined): boolean {
  if (exchange === undefined || !exchange.request.complete) return true;
  const { response } = exchange;
  // A streamed response that its client does not read is never complete.
  return response.writableEnded || response.writableNeedDrain;
}
