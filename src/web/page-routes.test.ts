import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Store } from '../store/store.ts';
import { TestWeb } from '../testing/test-web.ts';

/** A store whose balances arrive when the test releases them. */
async function slowStore(t: TestContext) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const store = await openSqliteStore({ path: ':memory:', cluster: { id: 'c', name: 'test' } });
  t.after(() => store.close());
  const balances = store.balances.bind(store);
  const slow: Store = Object.assign(store, {
    async balances() {
      await promise;
      return balances();
    },
  });
  return { store: () => slow, answer: resolve };
}

describe('the page', () => {
  for (const encoding of ['gzip', 'identity']) {
    test(`sends its top before the store has answered (${encoding})`, async (t) => {
      const { store, answer } = await slowStore(t);
      const web = await TestWeb.start(t, { service: { store } });
      const { body, headers } = await fetch(`http://${web.address}/`, { headers: { 'accept-encoding': encoding } });
      assert.equal(headers.get('content-encoding'), encoding === 'gzip' ? 'gzip' : null);
      const decoder = new TextDecoder();
      let text = '';
      const reader = (body ?? new ReadableStream<Uint8Array>()).getReader();
      while (!text.includes('<main>')) text += decoder.decode((await reader.read()).value, { stream: true });
      assert.match(text, /<h1>test<\/h1>[\s\S]*class="state good">watching/);
      assert.doesNotMatch(text, /id="delivery"/);
      answer();
      for (let part = await reader.read(); !part.done; part = await reader.read()) text += decoder.decode(part.value);
      assert.match(text, /id="delivery"[\s\S]*<\/main>[\s\S]*<\/html>\s*$/);
    });
  }

  test('reports an error after its top on the page and in the log, and is completed', async (t) => {
    const receivers = (): never => {
      throw new Error('no receivers here');
    };
    const web = await TestWeb.start(t, { service: { receivers } });
    const { status, body } = await web.ask('/');
    assert.equal(status, 200);
    assert.match(body, /<h1>test<\/h1>[\s\S]*role="alert"[\s\S]*cannot be shown[\s\S]*<\/html>\s*$/);
    assert.match(
      web.log,
      /"error":"no receivers here".*Cannot render a page|Cannot render a page.*"no receivers here"/,
    );
    const { status: later } = await web.ask('/fragments');
    assert.equal(later, 500);
  });

  test('keeps the start time of a link when the filter changes', async (t) => {
    const web = await TestWeb.start(t);
    const form = async (query: string) =>
      /<form class="filters"[\s\S]*?<\/form>/.exec((await web.ask(`/${query}`)).body)?.[0];
    assert.match(
      (await form('?since=2026-01-01T00:00:00%2B01:00')) ?? '',
      /name="since" value="2026-01-01T00:00:00\+01:00"/,
    );
    assert.doesNotMatch((await form('')) ?? 'none', /since|^none$/);
  });

  test('shows nothing to someone without access', async (t) => {
    const web = await TestWeb.start(t, { settings: { token: 'a-token-of-20-letters' } });
    const { status, body } = await web.ask('/', { headers: { accept: 'text/html' } });
    assert.equal(status, 401);
    assert.doesNotMatch(body, /<h1>test/);
  });

  test('answers HEAD with the status and content type of GET', async (t) => {
    const web = await TestWeb.start(t);
    const { status, headers, body } = await web.ask('/', { method: 'HEAD' });
    assert.deepEqual([status, headers['content-type'], body], [200, 'text/html; charset=utf-8', '']);
  });

  test('has a content security policy with the hash of its style sheet', async (t) => {
    const web = await TestWeb.start(t);
    const { headers, body } = await web.ask('/');
    const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(body) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    assert.ok(headers['content-security-policy']?.includes(`style-src 'sha256-${hash}';`));
  });
});
