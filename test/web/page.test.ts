/** The page in a browser. */
import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { podOf, waiting } from '../../src/testing/failing-pods.ts';
import { systemClock } from '../../src/clock.ts';
import type { Health } from '../../src/health.ts';
import { healthOf, TestWeb, WATCHING } from '../../src/testing/test-web.ts';
import { deployment } from '../e2e/cluster.ts';
import { World } from '../e2e/world.ts';
import { until } from '../until.ts';
import { launchBrowser, WITHOUT_BROWSER } from './browser.ts';
import { tellStory, withoutTeam } from './story.ts';

/** HTML, an attribute's end, terminal colours, a right-to-left override. */
const HOSTILE = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>" onclick='x \u001b[31mred \u202egnp.exe`;

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' } });

// oxlint-disable-next-line no-control-regex -- control characters are the point
const UNSEEN = /[\u001b\u202e]/;

describe('the page in a browser', { skip: WITHOUT_BROWSER }, () => {
  let browser: Browser;
  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser.close());

  /** The story's page, and its console output. */
  async function open(t: TestContext, web = '', options: BrowserContextOptions = {}) {
    const world = await World.start(withoutTeam);
    t.after(() => world[Symbol.asyncDispose]());
    const running = await tellStory(world, web);
    t.after(() => running.app.stop(0));
    await running.app.idle();
    const context = await browser.newContext(options);
    t.after(() => context.close());
    const page = await context.newPage();
    const said: string[] = [];
    page.on('console', (message) => said.push(message.text())).on('pageerror', (error) => said.push(error.message));
    return { world, running, page, said, url: `http://${running.app.listening}` };
  }

  const isLive = (page: Page) => page.getByText('live', { exact: true }).waitFor();
  const pods = (page: Page) => page.getByRole('region', { name: 'Pods at risk' });

  test('shows failing pods, changes with their managers, dead letters, and what is watched', async (t) => {
    const { page, said, url } = await open(t);
    await page.goto(url);
    await isLive(page);
    await pods(page).getByText('shop/search-5d4f8c7b9-tt4wp').waitFor();
    assert.equal(await pods(page).locator('tbody tr.alarm').count(), 5);
    const row = pods(page).locator('tr', { hasText: 'shop/checkout-5d4f8c7b9-x2x7k' });
    assert.match(await row.innerText(), /CrashLoopBackOff[\s\S]*image web .*checkout:2\.4\.0[\s\S]*argocd-controller/);
    const change = page.locator('#change-list li', { hasText: 'ConfigMap shop/checkout' });
    await change.getByText('diff').click();
    assert.match(await change.locator('.add').innerText(), /\+pool\.timeout=3s/);
    assert.match(await page.getByRole('region', { name: 'Delivery' }).innerText(), /answered 404: no_service/);
    assert.match(await page.getByRole('region', { name: 'Watched', exact: true }).innerText(), /v1\/pods/);
    assert.deepEqual(said, [], 'nothing that the policy forbids');
  });

  test('the lines of a diff are built only when it is opened', async (t) => {
    const web = await TestWeb.start(t, { service: { clock: systemClock } });
    const page = await browser.newPage();
    t.after(() => page.close());
    const change = (text: string) => page.locator('#change-list li', { hasText: text });
    await web.change({ name: 'first', text: 'a\nz' }, { name: 'second', text: 'a\nz' });
    await web.change({ name: 'first', text: 'b\nz' });
    await page.goto(`http://${web.address}`);
    await isLive(page);
    await web.change({ name: 'second', text: 'b\nz' });
    await change('shop/second').locator('summary').waitFor();
    assert.equal(await page.locator('pre span').count(), 0);
    for (const name of ['shop/first', 'shop/second']) {
      await change(name).locator('summary').click();
      assert.match(await change(name).locator('.add').innerText(), /^\+b/);
    }
  });

  test('new changes and failing pods appear by themselves; an acknowledged pod is marked as read', async (t) => {
    const { world, page, url } = await open(t);
    await page.goto(url);
    await isLive(page);
    const name = 'mailer-5d4f8c7b9-hh5rv';
    world.server.update(podOf({ app: 'mailer', name, containers: [waiting('CrashLoopBackOff')] }));
    await page.locator('#change-list li.fresh', { hasText: name }).waitFor();
    const row = pods(page).locator('tr', { hasText: name });
    await row.waitFor();
    await row.getByRole('button', { name: /^Mark/ }).click();
    await pods(page).locator('tr.read', { hasText: name }).waitFor();
  });

  test('a dead letter can be replayed by keyboard alone', async (t) => {
    const { world, page, url } = await open(t);
    await page.goto(url);
    await isLive(page);
    const letters = page.getByRole('region', { name: 'Dead letters' });
    await letters.getByRole('button', { name: 'Replay Deployment shop/search' }).waitFor();
    const told = world.slack.requests.length;
    for (let n = 0; n < 100; n++) {
      await page.keyboard.press('Tab');
      if ((await page.evaluate('document.activeElement?.ariaLabel')) === 'Replay Deployment shop/search') break;
    }
    await page.keyboard.press('Enter');
    await page.getByText('Replay Deployment shop/search: done').waitFor();
    await world.slack.waitFor(told + 1);
  });

  test('a failed action keeps the focus, and can be repeated by keyboard', async (t) => {
    const { page, url } = await open(t);
    await page.goto(url);
    await isLive(page);
    await page.route('**/api/dead-letters/**', (route) => route.abort());
    const replay = page.getByRole('button', { name: 'Replay Deployment shop/search' });
    await replay.focus();
    await page.keyboard.press('Enter');
    await page.getByText('Cannot reach the service').waitFor();
    assert.equal(await replay.and(page.locator(':focus')).count(), 1);
    await page.unroute('**/api/dead-letters/**');
    await page.keyboard.press('Enter');
    await page.getByText('Replay Deployment shop/search: done').waitFor();
  });

  test('a pod is counted once, however many of its containers fail', async (t) => {
    const { world, page, url } = await open(t);
    const containers = ['web', 'proxy'].map((name) => ({ ...waiting('CrashLoopBackOff'), name }));
    world.server.update(podOf({ app: 'search', name: 'search-5d4f8c7b9-tt4wp', containers }));
    await page.goto(url);
    await pods(page).locator('tr', { hasText: 'proxy of Deployment search' }).waitFor();
    await pods(page).getByText('5 of 6 watched').waitFor();
  });

  test('the pods are refreshed while one of them or its Events are open, and the focus stays', async (t) => {
    const { world, page, url } = await open(t);
    await page.goto(url);
    await isLive(page);
    const crashing = { app: 'mailer', containers: [waiting('CrashLoopBackOff')] };
    const inFocus = () => page.evaluate('document.activeElement.closest("tr")?.innerText');
    const failing = pods(page).locator('tr', { hasText: 'shop/search-5d4f8c7b9-tt4wp' });
    await failing.locator('summary').click();
    world.server.update(podOf({ ...crashing, name: 'mailer-5d4f8c7b9-hh5rv' }));
    await pods(page).locator('tr', { hasText: 'mailer-5d4f8c7b9-hh5rv' }).waitFor();
    await failing.getByText('back-off: ImagePullBackOff').waitFor();
    assert.match(String(await inFocus()), /search/);
    for (const [name, closesFirst] of Object.entries({ 'mailer-2': true, 'mailer-3': false })) {
      await failing.getByRole('button', { name: 'Events' }).click();
      if (closesFirst) await page.keyboard.press('Escape');
      world.server.create(podOf({ ...crashing, name }));
      await pods(page).locator('tr', { hasText: name }).waitFor();
      if (!closesFirst) await page.keyboard.press('Escape');
      // By element, because a closed dialog has no role; the focus is restored after that.
      await page.locator('dialog').waitFor({ state: 'detached' });
      assert.match(String(await inFocus()), /search/);
    }
  });

  test('an action is not shown as done when another tab was first, or the service is unreachable', async (t) => {
    const { page, url } = await open(t);
    await page.goto(url);
    await isLive(page);
    // Keeps what the other tab discards in this one: on a busy machine it would be refreshed before the click.
    await page.route('**/fragments', (route) => route.abort());
    const discarding = await page.context().newPage();
    discarding.on('dialog', (dialog) => void dialog.accept());
    await discarding.goto(url);
    await discarding.getByRole('button', { name: 'Discard ConfigMap shop/checkout' }).click();
    await discarding.getByText('Discard ConfigMap shop/checkout: done').waitFor();
    await page.getByRole('button', { name: 'Replay ConfigMap shop/checkout' }).click();
    await page.getByText('nothing to do, it was already gone').waitFor();
    await page.unroute('**/fragments');
    await page.route('**/api/dead-letters/**', (route) => route.abort());
    const replay = page.getByRole('button', { name: 'Replay Deployment shop/search' });
    await replay.click();
    await page.getByText('Cannot reach the service').waitFor();
    await page.unroute('**/api/dead-letters/**');
    await replay.click();
    await page.getByText('Replay Deployment shop/search: done').waitFor();
  });

  test('Events of a pod are in a dialog, which Escape closes', async (t) => {
    const { world, page, url } = await open(t);
    const name = 'search-5d4f8c7b9-tt4wp';
    const { uid = '' } = world.server.get('Pod', name, 'shop')?.metadata ?? {};
    world.server.create({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'pulled', namespace: 'shop' },
      involvedObject: { kind: 'Pod', namespace: 'shop', name, uid },
      reason: 'Failed',
      message: `no such image ${HOSTILE}`,
      lastTimestamp: '2026-11-20T10:01:00Z',
    });
    await page.goto(url);
    await isLive(page);
    await page.getByRole('button', { name: `Events of shop/${name}` }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('no such image <img src=x').waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.doesNotMatch(await page.title(), /owned/);
  });

  test('an Event with a series is shown with its last time and its count', async (t) => {
    const { world, page, url } = await open(t, '', { timezoneId: 'UTC', locale: 'en-GB' });
    const name = 'search-5d4f8c7b9-tt4wp';
    const { uid = '' } = world.server.get('Pod', name, 'shop')?.metadata ?? {};
    world.server.create({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'unplaced', namespace: 'shop' },
      involvedObject: { kind: 'Pod', namespace: 'shop', name, uid },
      reason: 'FailedScheduling',
      lastTimestamp: null,
      eventTime: '2026-11-20T10:01:00.000000Z',
      series: { count: 12, lastObservedTime: '2026-11-20T10:55:00.000000Z' },
    });
    await page.goto(url);
    await isLive(page);
    await page.getByRole('button', { name: `Events of shop/${name}` }).click();
    const row = page.getByRole('dialog').locator('tbody tr');
    await row.getByText('FailedScheduling (12 times)').waitFor();
    assert.match(await row.innerText(), /10:55:00/);
  });

  test('the dialog of Events says why there are none: forbidden, or the service is unreachable', async (t) => {
    const { page, url } = await open(t);
    await page.goto(url);
    await isLive(page);
    const dialog = page.getByRole('dialog');
    const ask = () => page.getByRole('button', { name: 'Events of shop/search-5d4f8c7b9-tt4wp' }).click();
    await page.route('**/events/**', (route) => route.fulfill({ status: 403, body: 'you may not see this\n' }));
    await ask();
    await dialog.getByText('The request failed: 403').waitFor();
    await page.keyboard.press('Escape');
    await page.route('**/events/**', (route) => route.abort());
    await ask();
    await dialog.getByText('Cannot reach the service').waitFor();
  });

  test('filters are in the URL, and apply to new changes', async (t) => {
    const { world, page, url } = await open(t);
    await page.goto(url);
    await page.getByLabel('Kind').fill('cm');
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.waitForURL(/[?&]kind=cm/);
    await isLive(page);
    assert.equal(await page.locator('#change-list li').count(), 1);
    world.server.update(
      podOf({ app: 'mailer', name: 'mailer-5d4f8c7b9-hh5rv', containers: [waiting('ErrImagePull')] }),
    );
    world.server.create(configMap('new'));
    await page.locator('#change-list li.fresh', { hasText: 'shop/new' }).waitFor();
    assert.equal(await page.locator('#change-list li').count(), 2);
  });

  test('going back restores the filter of the changes that are shown', async (t) => {
    const { page, url } = await open(t);
    await page.goto(`${url}/?kind=cm`);
    await isLive(page);
    const kind = page.getByLabel('Kind');
    await kind.fill('deploy');
    await kind.press('Enter');
    await page.waitForURL(/kind=deploy/);
    await isLive(page);
    await page.goBack();
    await isLive(page);
    assert.equal(await page.locator('#change-list li').count(), 1);
    assert.equal(await kind.inputValue(), 'cm');
  });

  test('older changes, and a filter that matches nothing, stay as they are while the pods are refreshed', async (t) => {
    const { world, running, page, url } = await open(t);
    for (let n = 0; n < 60; n++) world.server.create(configMap(`new-${n}`));
    await running.app.idle();
    for (const [name, query] of [
      ['mailer-2', 'before=5'],
      ['mailer-3', 'kind=deploymnt'],
    ] as const) {
      await page.goto(`${url}/?${query}`);
      await isLive(page);
      const changes = await page.locator('#changes').innerText();
      world.server.create(podOf({ app: 'mailer', name, containers: [waiting('CrashLoopBackOff')] }));
      await pods(page).locator('tr', { hasText: name }).waitFor();
      assert.equal(await page.locator('#changes').innerText(), changes);
      assert.doesNotMatch(changes, /more at once/);
    }
  });

  test('changes that newer ones push off the list are behind the link to older ones', async (t) => {
    const { world, page, url } = await open(t);
    const rows = page.locator('#change-list li');
    const all = `${url}/?limit=500`;
    await page.goto(all);
    for (let n = await rows.count(); n < 499; n++) world.server.create(configMap(`new-${n}`));
    await until('all but one of a full list', async () => {
      await page.goto(all);
      return (await rows.count()) === 499;
    });
    await isLive(page);
    const oldest = await rows.last().getAttribute('data-id');
    const older = page.getByRole('link', { name: 'Older' });
    assert.equal(await older.count(), 0);
    world.server.create(configMap('one-more'));
    world.server.create(configMap('and-another'));
    await older.click();
    await page.waitForURL(/before=/);
    assert.equal(await rows.first().getAttribute('data-id'), oldest);
  });

  test('everything from the cluster is shown as text, and long text is cut', async (t) => {
    const { world, page, said, url } = await open(t);
    const text = HOSTILE + 'long '.repeat(200_000);
    const hostile = (data: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'hostile', namespace: 'shop', labels: { note: HOSTILE }, annotations: { note: text } },
      data: { note: data },
    });
    await page.goto(url);
    await isLive(page);
    world.server.create(hostile('1'));
    world.server.update(hostile(text), { manager: HOSTILE.slice(0, 60) });
    world.server.update(
      podOf({
        app: 'mailer',
        name: 'mailer-5d4f8c7b9-hh5rv',
        containers: [{ state: { waiting: { reason: HOSTILE, message: text } } }],
      }),
    );
    await page.locator('#change-list li', { hasText: 'shop/hostile' }).first().waitFor();
    for (const again of [false, true]) {
      if (again) await page.reload();
      await page.locator('#change-list li', { hasText: '<img src=x' }).first().waitFor();
      assert.equal(await page.locator('img').count(), 0);
      assert.equal(await page.locator('main script').count(), 0);
      assert.doesNotMatch(await page.title(), /owned/);
      assert.doesNotMatch(await page.locator('main').innerText(), UNSEEN);
      assert.ok((await page.content()).length < 300_000);
    }
    assert.deepEqual(said, []);
  });

  test('times are in the zone of the viewer, and RFC 3339 on hover', async (t) => {
    const { page, url } = await open(t, '', { timezoneId: 'Asia/Tokyo', locale: 'en-GB' });
    await page.goto(url);
    await isLive(page);
    const time = page.locator('#change-list time').first();
    const at = (await time.getAttribute('title')) ?? '';
    assert.match(at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const inTokyo = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium', timeZone: 'Asia/Tokyo' });
    assert.ok((await time.innerText()).includes(inTokyo.format(new Date(at))));
    assert.match(await page.locator('footer').innerText(), /times are in your zone$/);
  });

  test('without JavaScript, times are in UTC, and the page says so', async (t) => {
    const { page, url } = await open(t, '', { javaScriptEnabled: false });
    await page.goto(url);
    assert.match(await page.locator('#change-list time').first().innerText(), /Z$/);
    assert.match(await page.locator('footer').innerText(), /times are in UTC/);
  });

  test('nothing is wider than the screen, even with long names', async (t) => {
    const { world, running, page, url } = await open(t);
    const [long, place] = ['x'.repeat(253), 'n'.repeat(63)];
    const reason = 'r'.repeat(200);
    world.server.create(podOf({ app: long, name: long, namespace: place, containers: [waiting(reason)] }));
    await running.app.idle();
    await page.goto(url);
    await isLive(page);
    await pods(page).getByText(`${place}/${long}`).waitFor();
    for (const width of [360, 390, 820, 1000, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width);
    }
  });

  test('an open diff is printed as a whole', async (t) => {
    const web = await TestWeb.start(t, { service: { clock: systemClock } });
    const page = await browser.newPage();
    t.after(() => page.close());
    const text = (word: string) => Array.from({ length: 100 }, (_, n) => `${n} ${word.repeat(n)}`).join('\n');
    await web.change({ name: 'long', text: text('before') });
    await web.change({ name: 'long', text: text('after') });
    await page.goto(`http://${web.address}`);
    await isLive(page);
    await page.locator('#change-list summary').click();
    await page.locator('pre .del').first().waitFor();
    await page.emulateMedia({ media: 'print' });
    const hidden = `(({ scrollHeight, clientHeight, scrollWidth, clientWidth }) =>
      [scrollHeight - clientHeight, scrollWidth - clientWidth])(document.querySelector('#change-list pre'))`;
    assert.deepEqual(await page.evaluate(hidden), [0, 0]);
  });

  test('the font size of the browser is respected, and nothing is wider than the screen', async (t) => {
    const { url } = await open(t);
    const large = await launchBrowser('--blink-settings=defaultFontSize=32');
    t.after(() => large.close());
    const page = await large.newPage();
    await page.goto(url);
    await isLive(page);
    assert.equal(await page.evaluate('getComputedStyle(document.body).fontSize'), '28px');
    for (const width of [375, 820, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width);
    }
  });

  test('buttons are at least 24 pixels high on a phone', async (t) => {
    const { page, url } = await open(t, '', { viewport: { width: 390, height: 844 } });
    await page.goto(url);
    await isLive(page);
    // 24 by 24 pixels: WCAG 2.2, 2.5.8.
    const small = await page.evaluate(
      `[...document.querySelectorAll('button, summary')].filter((e) => e.getBoundingClientRect().height < 24).map((e) => e.textContent)`,
    );
    assert.deepEqual(small, []);
  });

  test('login with the token, the page and logout work below a base path', async (t) => {
    const token = 'a-token-of-the-page';
    const { page, said, url } = await open(t, `[web]\ntoken = "${token}"\nbasePath = "/ops/watch"\n`);
    await page.goto(`${url}/ops/watch`);
    await page.getByLabel('Token').fill('not-the-token-at-all');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText('This token is not valid').waitFor();
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Show' }).click();
    await isLive(page);
    await pods(page).getByText('shop/search-5d4f8c7b9-tt4wp').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Token').waitFor();
    await page.goto(`${url}/ops/watch/config`);
    await page.getByLabel('Token').waitFor();
    assert.deepEqual(
      said.filter((line) => !line.includes('401') && !line.startsWith('[DOM]')),
      [],
    );
  });

  test('a token that is submitted without JavaScript stays out of the URL', async (t) => {
    const token = 'a-token-of-the-page';
    const { page, url } = await open(t, `[web]\ntoken = "${token}"\n`, { javaScriptEnabled: false });
    await page.goto(url);
    await page.getByLabel('Token').fill(token);
    const sent = page.waitForRequest((request) => request.isNavigationRequest());
    await page.getByRole('button', { name: 'Show' }).click();
    assert.doesNotMatch((await sent).url(), /token/);
  });

  test('a stream that fails is opened again; after a 401 the page reloads to log in', async (t) => {
    const { page, url } = await open(t);
    await page.goto(url);
    await isLive(page);
    let isAway = true;
    await page.route('**/api/changes*', (route) => (isAway ? route.fulfill({ status: 503 }) : route.continue()));
    await page.reload();
    await page.getByText('disconnected, reconnecting').waitFor();
    isAway = false;
    await isLive(page);
    await page.route('**/fragments', (route) => route.fulfill({ status: 401 }));
    await page.route('**/api/changes*', (route) => route.fulfill({ status: 401 }));
    const reloaded = page.waitForEvent('load');
    await page.reload();
    await reloaded;
    await page.waitForEvent('load');
  });

  test('a stream that falls silent, as during sleep, is opened again, and missed changes appear', async (t) => {
    // The server's clock stands still, so it sends nothing more.
    const web = await TestWeb.start(t);
    const page = await browser.newPage();
    t.after(() => page.close());
    await page.clock.install();
    await page.goto(`http://${web.address}`);
    await isLive(page);
    await web.change({ name: 'meanwhile', text: '1' });
    await page.clock.fastForward(60_000);
    await page.locator('#change-list li', { hasText: 'shop/meanwhile' }).waitFor();
    await isLive(page);
  });

  test('a screen reader is told only once that the service is unreachable, or that there are more changes', async (t) => {
    const { page, url } = await open(t);
    const asked = { answered: 0, refused: 0 };
    let isAway = false;
    const body = 'retry: 10\nevent: changes\ndata: {"changes":[],"truncated":true}\n\n';
    await page.route('**/api/changes*', (route) => {
      asked[isAway ? 'refused' : 'answered']++;
      return isAway ? route.abort() : route.fulfill({ contentType: 'text/event-stream', body });
    });
    await page.addInitScript(`window.heard = [];
      new MutationObserver((all) => heard.push(...all.map(({ target }) => target.id))).observe(document, { subtree: true, childList: true });`);
    const heard = (id: string) => page.evaluate(`heard.filter((id) => id === '${id}').length`);
    await page.goto(url);
    await until('streams that say so and break off', () => asked.answered > 4);
    assert.equal(await heard('more'), 1);
    isAway = true;
    await until('nothing comes any more', () => asked.refused > 1);
    const before = await heard('live');
    await until('it is tried again', () => asked.refused > 4);
    assert.equal(await heard('live'), before);
  });

  test('a standby does not claim that nothing has changed, and shows everything once it takes over', async (t) => {
    let isRunning = false;
    const standby: Health = { ...healthOf(), phase: 'standby' };
    const web: TestWeb = await TestWeb.start(t, {
      service: {
        clock: systemClock,
        store: () => (isRunning ? web.store : undefined),
        clusterName: () => (isRunning ? 'prod-eu' : undefined),
        health: () => (isRunning ? healthOf(WATCHING) : standby),
      },
    });
    await web.change({ name: 'settings', text: '1' });
    const page = await browser.newPage();
    t.after(() => page.close());
    await page.goto(`http://${web.address}`);
    await page.getByText('This process is on standby').waitFor();
    assert.doesNotMatch(await page.locator('main').innerText(), /Nothing has changed|none of 0/);
    isRunning = true;
    await page.getByRole('heading', { name: 'prod-eu' }).waitFor();
    await page.locator('#change-list li', { hasText: 'shop/settings' }).waitFor();
    await pods(page).getByText('none of 0 watched').waitFor();
    assert.match(await page.title(), /^prod-eu/);
  });

  test('hidden tabs free their connections for the visible one, and catch up when shown', async (t) => {
    const { world, running, page, url } = await open(t);
    const show = (tab: Page, isShown: boolean) =>
      tab.evaluate(`Object.defineProperty(document, 'hidden', { value: ${!isShown}, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));`);
    await page.goto(url);
    await isLive(page);
    await show(page, false);
    for (let n = 0; n < 6; n++) {
      const tab = await page.context().newPage();
      await tab.goto(url);
      await isLive(tab);
      if (n < 5) await show(tab, false);
    }
    world.server.create(configMap('meanwhile'));
    await running.app.idle();
    await show(page, true);
    await page.locator('#change-list li.fresh', { hasText: 'shop/meanwhile' }).waitFor();
  });

  test('the state is "unknown" while the service is unreachable, and "watching" when it is back', async (t) => {
    const { page, running, url } = await open(t);
    const state = (text: string) => page.locator('#state', { hasText: text }).waitFor();
    await page.goto(url);
    await isLive(page);
    await state('watching');
    const { host } = new URL(url);
    await running.app.stop(0);
    await page.getByText('disconnected, reconnecting').waitFor();
    await state('unknown');
    const web = await TestWeb.start(t, { listen: host });
    assert.equal(web.address, host);
    await state('watching');
  });

  test('the other sections are refreshed after the clock of the viewer was set back', async (t) => {
    const { page, world, url } = await open(t);
    await page.goto(url);
    await isLive(page);
    const freshened = () => page.waitForResponse((response) => response.url().endsWith('/fragments'));
    world.server.create(configMap('before'));
    await freshened();
    await page.clock.setFixedTime(Date.now() - 24 * 3_600_000);
    for (const name of ['after', 'later']) {
      const again = freshened();
      world.server.create(configMap(name));
      await again;
    }
  });

  test('the page starts over when the service comes back without its state', async (t) => {
    const { world, running, page, url } = await open(t);
    await page.goto(url);
    await isLive(page);
    await page.locator('#change-list li').nth(7).waitFor();
    await running.app.stop(0);
    const again = await world.run({ listen: new URL(url).host });
    t.after(() => again.app.stop(0));
    world.server.create(deployment('web'));
    await page.locator('#change-list li:first-child', { hasText: 'default/web' }).waitFor();
    assert.equal(await page.locator('#change-list li').count(), 1);
  });

  test('every control has a name, every table has headings, and there is a skip link', async (t) => {
    const { page, url } = await open(t);
    await page.goto(url);
    await isLive(page);
    const nameless = await page.evaluate(
      `[...document.querySelectorAll('button, input, a, summary, section')].filter((e) =>
        !(e.textContent.trim() || e.ariaLabel || e.labels?.length || e.hasAttribute('data-live'))).length`,
    );
    assert.equal(nameless, 0);
    assert.equal(await page.locator('table:not(:has(th[scope=col]))').count(), 0);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement?.textContent'), 'Skip to the changes');
  });
});
