import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../testing/test-folder.ts';
import { limitConnections } from './connections.ts';

test('clients that do not read a streamed response hold up no others', async (t) => {
  // Not TCP: the kernel would take megabytes for each client.
  const path = join(await temporaryFolder(t), 'socket');
  const server = createServer();
  // Unfinished, as a list that is still being rendered.
  const answer = async (_request: unknown, response: ServerResponse): Promise<void> => {
    response.write('x'.repeat(512 * 1024));
  };
  limitConnections(server, answer);
  await once(server.listen(path), 'listening');
  const clients: Socket[] = [];
  t.after(() => {
    for (const client of clients) client.destroy();
    server.close();
    server.closeAllConnections();
  });
  for (let n = 0; n < 300; n++) {
    const client = connect(path).on('error', () => {});
    clients.push(client);
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [first] = await Promise.race([once(client, 'data'), once(client, 'close')]);
    client.pause();
    assert.ok(Buffer.isBuffer(first), `client ${n} is answered`);
  }
});
