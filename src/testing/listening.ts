/** Servers that a test makes itself, if the answers of {@link startReceiver} will not do. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Server as NetServer } from 'node:net';
import type { TestContext } from 'node:test';

/** Listens until the test ends. Returns `127.0.0.1:PORT`. */
export async function listening(
  t: TestContext,
  server: NetServer & Pick<Server, 'closeAllConnections'>,
): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A proxy whose tunnels all lead to `port`, whatever the requested host. */
export function tunnelTo(port: number): Server {
  return createServer().on('connect', (_, client) => {
    const upstream = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
}
