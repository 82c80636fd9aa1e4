/** The page in a browser: what it shows, and how. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podOf, waiting } from '../../src/testing/failing-pods.ts';
import { launchBrowser } from './browser.ts';
import { HOSTILE, isLive, open, pods } from './open-page.ts';

// oxlint-disable-next-line no-control-regex -- control characters are the point
const UNSEEN = /[\u001b\u202e]/;

export function testDisplay(): void {
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

  test('how long ago something was does not depend on the clock of the viewer', async (t) => {
    const { page, url } = await open(t);
    const seenAgo = page.getByRole('region', { name: 'Watched', exact: true }).locator('time').first();
    for (const hours of [-5, 5]) {
      await page.clock.setSystemTime(Date.now() + hours * 3_600_000);
      await page.goto(url);
      await isLive(page);
      const ofTop = await seenAgo.innerText();
      await page.waitForResponse('**/fragments');
      const refreshed = await seenAgo.innerText();
      for (const text of [ofTop, refreshed]) assert.match(text, /^(now|\d+ ?s(ec.)? ago)$/, `${hours} h: ${text}`);
    }
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
}
