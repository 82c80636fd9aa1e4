/** OpenShift's Pod Watcher: its page, and who may see it. The numbers are those of its acceptance list. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TOKEN, Watcher } from './watcher.ts';

describe('secrets and access', () => {
  test('17: /config hides secrets, and no log line holds the token', async (t) => {
    const watcher = await Watcher.start(t, { PODMONITOR_WEB_TOKEN: '' });
    await watcher.crash();
    const config = await (await watcher.fetch('/config')).text();
    assert.match(config, /"name":"podAlerts"/);
    assert.ok(!config.includes(TOKEN));
    assert.ok(!watcher.log.includes(TOKEN));
  });

  test('18: with a token for the page, every request without it is refused', async (t) => {
    const watcher = await Watcher.start(t, { PODMONITOR_WEB_TOKEN: 'a-token-of-the-page' });
    for (const path of ['/', '/status', '/pods/shop', '/events/shop', '/config', '/pod-restart-alerts'])
      assert.equal((await watcher.fetch(path)).status, 401, path);
    const headers = { authorization: 'Bearer a-token-of-the-page' };
    assert.equal((await watcher.fetch('/status', { headers })).status, 200);
  });
});

describe('the page', () => {
  test('16: has the columns of pod-watcher, red rows and Events, and loads nothing from other hosts', async (t) => {
    const watcher = await Watcher.start(t);
    await watcher.crash();
    const page = await (await watcher.fetch('/')).text();
    const pods = /<section id="pods".*?<\/section>/s.exec(page)?.[0] ?? '';
    for (const column of ['Pod', 'Alert', 'State', 'Restarts', 'Total', 'Last update'])
      assert.match(pods, new RegExp(`<th scope="col"[^>]*>${column}</th>`), column);
    assert.match(pods, /<tr class="alarm">/);
    assert.match(pods, /data-events="shop\/web-1"/);
    assert.doesNotMatch(page, /(src|href)="(https?:)?\/\//);
  });
});
