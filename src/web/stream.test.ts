import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import type { ApiClient } from '../source/api.ts';
import { TestWeb } from '../testing/test-web.ts';

interface Told {
  readonly id: number;
  readonly name: string;
}

/** A viewer, with what it has received so far. */
class Onlooker {
  readonly socket: Socket;
  readonly told: Told[] = [];
  truncated = false;
  closed = false;
  #rest = '';
  /** All lines but data. */
  readonly #lines: string[] = [];

  constructor(web: TestWeb, query: string, headers: readonly string[] = []) {
    this.socket = connect(web.endpoint);
    this.socket.setEncoding('utf8').on('data', (chunk: string) => this.#read(chunk));
    this.socket.on('error', () => {}).on('close', () => (this.closed = true));
    const lines = [`GET /api/changes${query} HTTP/1.1`, 'Host: localhost', 'Accept: text/event-stream', ...headers];
    this.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  }

  static async of(t: TestContext, web: TestWeb, query = '', headers: readonly string[] = []): Promise<Onlooker> {
    const onlooker = new Onlooker(web, query, headers);
    t.after(() => onlooker.socket.destroy());
    await web.until(() => onlooker.has('event: alive'));
    return onlooker;
  }

  has(text: string): true | undefined {
    return this.#lines.some((line) => line.includes(text)) || undefined;
  }

  /** Whether the response is complete, with its last chunk. */
  get ended(): boolean {
    return this.#lines.includes('0\r');
  }

  #read(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('data: {')) {
        this.#lines.push(line);
        continue;
      }
      const { changes, truncated } = JSON.parse(line.slice(6)) as { changes: readonly Told[]; truncated: boolean };
      this.told.push(...changes.map(({ id, name }) => ({ id, name })));
      this.truncated ||= truncated;
    }
  }

  /** The names so far, once there are at least `n`. */
  names(n: number): readonly string[] | undefined {
    return this.told.length < n ? undefined : this.told.map(({ name }) => name);
  }
}

describe('GET /api/changes as a stream', () => {
  test('sends matching changes in order, as they are accepted', async (t) => {
    const web = await TestWeb.start(t);
    await web.change({ name: 'before', text: '1' });
    const all = await Onlooker.of(t, web);
    const some = await Onlooker.of(t, web, '?name=b*');
    await web.change({ name: 'a', text: '1' }, { name: 'b', text: '1' });
    await web.change({ name: 'bb', text: '1' });
    assert.deepEqual(await web.until(() => all.names(3)), ['a', 'b', 'bb']);
    assert.deepEqual(await web.until(() => some.names(2)), ['b', 'bb']);
  });

  test('sends a returning client what it has missed', async (t) => {
    const web = await TestWeb.start(t);
    const first = await Onlooker.of(t, web);
    await web.change({ name: 'a', text: '1' });
    const [seen] = await web.until(() => (first.told.length > 0 ? first.told : undefined));
    first.socket.destroy();
    await web.change({ name: 'missed', text: '1' });
    const again = await Onlooker.of(t, web, '', [`Last-Event-ID: ${seen?.id}`]);
    assert.deepEqual(await web.until(() => again.names(1)), ['missed']);
  });

  test('misses no matching change for a client that connects before the state is open', async (t) => {
    let isOpen = true;
    const web: TestWeb = await TestWeb.start(t, { service: { store: () => (isOpen ? web.store : undefined) } });
    await web.change({ name: 'seen', text: '1' });
    isOpen = false;
    const query = '?after=1&name=b*';
    const early = new Onlooker(web, query);
    t.after(() => early.socket.destroy());
    await web.until(() => early.has(' 503 ') ?? early.has('event: alive'));
    await web.change({ name: 'a', text: '1' }, { name: 'b', text: '1' });
    isOpen = true;
    const onlooker = early.has(' 503 ') === true ? await Onlooker.of(t, web, query) : early;
    await web.clock.advance(1_000);
    await web.change({ name: 'aa', text: '1' }, { name: 'bb', text: '1' });
    await web.until(() => onlooker.names(2));
    assert.deepEqual(onlooker.names(2), ['b', 'bb']);
  });

  test('sends `anew` to a client that last saw a change which this state does not have', async (t) => {
    const web = await TestWeb.start(t);
    await web.change({ name: 'a', text: '1' });
    const [anew, same] = [await Onlooker.of(t, web, '?after=2'), await Onlooker.of(t, web, '?after=1')];
    assert.deepEqual([anew.has('event: anew'), same.has('event: anew')], [true, undefined]);
  });

  test('sends the newest 50 of a burst, marked as truncated', async (t) => {
    const web = await TestWeb.start(t);
    const onlooker = await Onlooker.of(t, web);
    await web.change(...Array.from({ length: 120 }, (_, n) => ({ name: `c${n}`, text: '1' })));
    const names = await web.until(() => onlooker.names(1));
    assert.deepEqual([names.length, names[0], names.at(-1)], [50, 'c70', 'c119']);
    assert.equal(onlooker.truncated, true);
  });

  test('answers 400 for a kind of which nothing is recorded', async (t) => {
    const web = await TestWeb.start(t);
    const { status } = await web.ask('/api/changes?kind=nosuch', { headers: { accept: 'text/event-stream' } });
    assert.equal(status, 400);
  });

  test('answers 503 to the 51st client, until another one leaves', async (t) => {
    const web = await TestWeb.start(t);
    const all = await Promise.all(Array.from({ length: 50 }, () => Onlooker.of(t, web)));
    const headers = { accept: 'text/event-stream' };
    const refused = await web.ask('/api/changes', { headers });
    assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '60']);
    all[0]?.socket.destroy();
    for (let hasPlace = false; !hasPlace;) {
      const late = new Onlooker(web, '');
      t.after(() => late.socket.destroy());
      hasPlace = await web.until(() => late.has('event: alive') ?? (late.has(' 503 ') === true ? false : undefined));
    }
  });

  test('cuts off a client that reads nothing, and continues for the others', async (t) => {
    const web = await TestWeb.start(t);
    const slow = await Onlooker.of(t, web);
    const good = await Onlooker.of(t, web);
    slow.socket.pause();
    // Far more than the buffers on the way hold: 50 diffs of 10 KB per round.
    for (let round = 0; round < 40; round++) {
      const text = Array.from({ length: 40 }, (_, n) => `${n} of ${round} ${'x'.repeat(240)}`).join('\n');
      await web.change(...Array.from({ length: 50 }, (_, n) => ({ name: `c${n}`, text })));
      await web.until(() => good.names(50 * (round + 1)));
    }
    const closed = once(slow.socket, 'close');
    slow.socket.resume();
    await closed;
    assert.ok(slow.told.length < good.told.length);
    assert.equal(good.closed, false);
  });

  test('ends for a token that the cluster no longer accepts', async (t) => {
    let isKnown = true;
    const request: ApiClient['request'] = (_method, path) => {
      const status = path.endsWith('/tokenreviews')
        ? { authenticated: isKnown, user: { username: 'reader' } }
        : { allowed: true };
      return Promise.resolve({ status: 201, headers: {}, body: Buffer.from(JSON.stringify({ status })) });
    };
    const api = { request } as ApiClient;
    const web = await TestWeb.start(t, { listen: '0.0.0.0:0', settings: { clusterAccess: true }, api });
    const authorization = 'Bearer reader';
    const onlooker = await Onlooker.of(t, web, '', [`Authorization: ${authorization}`]);
    isKnown = false;
    await web.clock.advance(2 * 60_000);
    await web.change({ name: 'secret', text: '1' });
    await web.until(() => onlooker.told.length > 0 || onlooker.ended || undefined);
    assert.deepEqual(onlooker.told, []);
    assert.equal((await web.ask('/api/changes', { headers: { authorization } })).status, 401);
  });

  test('logs an unreadable store once, and its recovery once, then sends what was missed', async (t) => {
    let failed: number | undefined;
    const broken = () => {
      if (failed === undefined) return web.store;
      failed++;
      return { ...web.store, history: () => Promise.reject(new Error('disk I/O error')) };
    };
    const web: TestWeb = await TestWeb.start(t, { service: { store: broken } });
    const onlooker = await Onlooker.of(t, web);
    failed = 0;
    await web.change({ name: 'meanwhile', text: '1' });
    await web.until(() => (failed ?? 0) > 10 || undefined);
    assert.equal(web.log.match(/cannot read new changes/g)?.length, 1);
    const said = t.mock.method(console, 'error', () => {});
    const late = await web.ask('/api/changes?after=1', { headers: { accept: 'text/event-stream' } });
    assert.deepEqual(
      [late.body, said.mock.callCount()],
      ['', 0],
      'the answer ends, and nothing is printed beside the log',
    );
    failed = undefined;
    assert.deepEqual(await web.until(() => onlooker.names(1)), ['meanwhile']);
    assert.equal(web.log.match(/can read new changes again/g)?.length, 1);
  });

  test('ends when the service stops', async (t) => {
    const web = await TestWeb.start(t);
    const onlooker = await Onlooker.of(t, web);
    const closed = once(onlooker.socket, 'close');
    await web.stop();
    await closed;
  });
});

test('HEAD /api/changes opens no stream, and takes up no place', async (t) => {
  const web = await TestWeb.start(t);
  for (let n = 0; n < 51; n++)
    assert.equal(
      (await web.ask('/api/changes', { method: 'HEAD', headers: { accept: 'text/event-stream' } })).status,
      200,
    );
  await Onlooker.of(t, web);
});
