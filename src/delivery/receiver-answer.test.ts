import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { RetryAfterError, TerminalError } from '../errors.ts';
import { listening } from '../testing/listening.ts';
import { startReceiver } from '../testing/receiver.ts';
import { failureOf, failureOfAnswer, SECRET, send, testReceivers } from '../testing/test-receivers.ts';

describe('receiver: how an answer is classified', () => {
  test('2xx resolves with status, headers and body', async (t) => {
    const server = await startReceiver(() => ({ status: 202, headers: { 'X-Id': '7' }, body: 'accepted' }));
    t.after(() => server.close());
    const response = await send(testReceivers(t).receiver(`${server.url}/a?b=c`));
    assert.equal(response.status, 202);
    assert.equal(response.headers['x-id'], '7');
    assert.equal(response.body, 'accepted');
    assert.equal(server.requests[0]?.path, '/a?b=c');
    assert.match(String(server.requests[0]?.headers['idempotency-key']), /^key-/);
  });

  for (const status of [400, 401, 403, 404, 410, 422]) {
    test(`${status} is terminal, and the error quotes the answer`, async (t) => {
      const failure = await failureOfAnswer(t, { status, body: `no_service at /services/T0/${SECRET}` });
      assert.equal(failure.code, 'TERMINAL');
      assert.match(failure.message, new RegExp(`^slack \\(127\\.0\\.0\\.1:\\d+\\) answered ${status}: no_service at`));
    });
  }

  for (const status of [408, 425, 500, 502, 503, 504]) {
    test(`${status} is a failed attempt`, async (t) => {
      assert.equal((await failureOfAnswer(t, { status })).code, undefined);
    });
  }

  test('429 defers for its Retry-After in seconds, as a date, and without one', async (t) => {
    const now = Date.UTC(2026, 0, 1);
    const date = new Date(now + 90_000).toUTCString();
    for (const [value, expected] of [
      ['30', 30_000],
      [date, 90_000],
      ['0', 0],
      ['soon', undefined],
      ['-1', undefined],
      ['10, 20', undefined],
      ['9999999', 3_600_000],
    ] as const) {
      const failure = await failureOfAnswer(t, { status: 429, headers: { 'retry-after': value } });
      assert.equal(failure.code, 'DEFER');
      assert.equal(failure.retryAfterMs, expected, `Retry-After: ${value}`);
    }
    assert.equal((await failureOfAnswer(t, { status: 429 })).retryAfterMs, undefined);
  });

  test('503 with Retry-After defers', async (t) => {
    const failure = await failureOfAnswer(t, { status: 503, headers: { 'retry-after': '5' } });
    assert.equal(failure.code, 'DEFER');
    assert.equal(failure.retryAfterMs, 5_000);
  });

  test('a long error body is cut visibly, and not inside a character', async (t) => {
    const { message } = await failureOfAnswer(t, { status: 400, body: `${'x'.repeat(199)}😀 and more` });
    assert.match(message, /answered 400: x{199}…$/);
  });

  test('a redirect is terminal, and the error names only the host that it leads to', async (t) => {
    const location = `https://elsewhere.example/${SECRET}`;
    const failure = await failureOfAnswer(t, { status: 302, headers: { location } });
    assert.equal(failure.code, 'TERMINAL');
    assert.match(failure.message, /a redirect to elsewhere\.example; redirects are not followed/);
  });

  test('a 3xx without a Location is not a redirect, and its body is shown', async (t) => {
    const unmodified = await failureOfAnswer(t, { status: 304, headers: {}, body: '' });
    assert.equal(unmodified.code, 'TERMINAL');
    assert.match(unmodified.message, /answered 304 without a Location$/);
    const choices = await failureOfAnswer(t, { status: 300, headers: {}, body: 'choose /v1 or /v2' });
    assert.match(choices.message, /answered 300 without a Location: choose \/v1 or \/v2$/);
  });

  test('at most 1 MiB of an answer is read', async (t) => {
    const server = await startReceiver(() => ({ body: 'x'.repeat(10_000_000) }));
    t.after(() => server.close());
    assert.equal((await send(testReceivers(t).receiver(server.url))).body.length, 1_048_576);
  });

  test('an endless answer is judged by its status, and its socket is closed', async (t) => {
    const chunk = Buffer.alloc(65_536, 'x');
    const server = createServer((_, response) => {
      const more = (): void => void response.write(chunk, (error) => (error ? undefined : more()));
      more();
    });
    const gone = once(server, 'connection').then(
      ([socket]) => new Promise((resolve) => (socket as Socket).on('error', () => {}).on('close', resolve)),
    );
    const { status } = await send(testReceivers(t).receiver(`http://${await listening(t, server)}`));
    await gone;
    assert.equal(status, 200);
  });
});

describe('receiver: an answer whose body', () => {
  const headOf = (status: number) => `HTTP/1.1 ${status} X\r\nretry-after: 7\r\ncontent-length: 20\r\n\r\nhalf`;

  test('breaks off is judged by its status, unless the body is needed', async (t) => {
    const server = await startReceiver(({ path }) => ({ raw: headOf(Number(path.slice(1))) }));
    t.after(() => server.close());
    const { receiver } = testReceivers(t);
    assert.deepEqual((await send(receiver(`${server.url}/202`))).status, 202);
    assert.match((await failureOf(send(receiver(`${server.url}/413`)))).message, /answered 413: half$/);
    const limited = await failureOf(send(receiver(`${server.url}/429`, { needsBody: true })));
    assert.deepEqual([limited.code, limited.retryAfterMs], ['DEFER', 7_000]);
    for (const options of [{ needsBody: true }, { accept: () => undefined }]) {
      assert.match((await failureOf(send(receiver(`${server.url}/202`, options)))).message, /did not answer/);
    }
  });

  test('does not end in time is judged by its status, and its socket is closed', async (t) => {
    const server = createServer((_, response) => void response.write('{'));
    const gone = once(server, 'connection').then(([socket]) => once(socket as Socket, 'close'));
    const { clock, receiver } = testReceivers(t);
    const { promise: answered, resolve } = Promise.withResolvers<void>();
    const onHeaders = (): void => resolve();
    diagnostics.subscribe('undici:request:headers', onHeaders);
    t.after(() => diagnostics.unsubscribe('undici:request:headers', onHeaders));
    const sending = send(receiver(`http://${await listening(t, server)}`, { timeoutMs: 3_000 }));
    await answered;
    await clock.advance(3_000);
    assert.equal((await sending).status, 200);
    await gone;
  });
});

describe('receiver: an error inside a 2xx answer', () => {
  test('masks a secret that the answer echoes', async (t) => {
    const server = await startReceiver(({ path }) => ({ body: `nobody at ${path}` }));
    t.after(() => server.close());
    const accept = ({ body }: { readonly body: string }): void => {
      throw new TerminalError(`refused: ${body}`);
    };
    const failure = await failureOf(send(testReceivers(t).receiver(`${server.url}/services/${SECRET}`, { accept })));
    assert.equal(failure.message, 'refused: nobody at ***');
  });

  for (const [error, code, breaks] of [
    [new RetryAfterError('slow down', { retryAfterMs: 20_000 }), 'DEFER', false],
    [new TerminalError('never'), 'TERMINAL', false],
    [new TerminalError('nothing ever', { isGone: true }), 'TERMINAL', true],
    [new Error('try again'), undefined, true],
  ] as const) {
    test(`${code ?? 'a failed attempt'} ${breaks ? 'opens' : 'does not open'} the breaker: ${error.message}`, async (t) => {
      const server = await startReceiver(() => ({ body: 'ok:false' }));
      t.after(() => server.close());
      const { clock, receiver } = testReceivers(t);
      const accept = ({ body }: { readonly body: string }): void => {
        if (body === 'ok:false') throw error;
      };
      const picky = receiver(server.url, { accept });
      for (let n = 0; n < 5; n++) {
        assert.equal((await failureOf(send(picky))).code, code);
        await clock.advance(20_000);
      }
      const next = await failureOf(send(picky));
      assert.equal(next.message.includes('deliveries to it are paused'), breaks);
      assert.equal(server.requests.length, breaks ? 5 : 6);
    });
  }

  test('a rate limit in the body holds back other sinks too', async (t) => {
    const server = await startReceiver();
    t.after(() => server.close());
    const { clock, receiver } = testReceivers(t);
    const accept = (): void => {
      throw new RetryAfterError('slow down', { retryAfterMs: 20_000 });
    };
    await failureOf(send(receiver(server.url, { accept })));
    const held = (await failureOf(send(receiver(server.url)))) as Error & { code?: string; until?: number };
    assert.deepEqual([held.code, held.until], ['WAIT', clock.now() + 20_000]);
  });
});
