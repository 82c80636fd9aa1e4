import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startReceiver } from './receiver.ts';

describe('startReceiver()', () => {
  test('keeps method, path, headers and body of each request in order', async () => {
    const receiver = await startReceiver();
    try {
      for (const body of ['one', 'two']) {
        const response = await fetch(`${receiver.url}/services/x?y=1`, {
          method: 'POST',
          body,
          headers: { 'x-key': body },
        });
        assert.equal(await response.text(), 'ok');
      }
      await receiver.waitFor(2);
      assert.deepEqual(
        receiver.requests.map(({ method, path, body, headers }) => [method, path, body, headers['x-key']]),
        [
          ['POST', '/services/x?y=1', 'one', 'one'],
          ['POST', '/services/x?y=1', 'two', 'two'],
        ],
      );
    } finally {
      await receiver.close();
    }
  });

  test('answers as configured: status and headers, a reset, or nothing', async () => {
    const receiver = await startReceiver((_, n) => {
      if (n === 1) return { status: 429, headers: { 'retry-after': '30' }, body: 'slow down' };
      return n === 2 ? { reset: true } : { hang: true };
    });
    try {
      const refused = await fetch(receiver.url);
      assert.deepEqual(
        [refused.status, refused.headers.get('retry-after'), await refused.text()],
        [429, '30', 'slow down'],
      );
      await assert.rejects(fetch(receiver.url));
      const controller = new AbortController();
      const hanging = fetch(receiver.url, { signal: controller.signal });
      await receiver.waitFor(3);
      controller.abort(new Error('gave up'));
      await assert.rejects(hanging, /gave up/);
    } finally {
      await receiver.close();
    }
    assert.equal(receiver.openSockets, 0);
  });

  test('waitFor() reports how many requests came when it gives up', async () => {
    const receiver = await startReceiver();
    try {
      await assert.rejects(receiver.waitFor(1, 1), /1 requests wanted, 0 came/);
    } finally {
      await receiver.close();
    }
  });
});
