/** The page in a browser: how it stays up to date. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { systemClock } from '../../src/clock.ts';
import type { Health } from '../../src/health.ts';
import { healthOf, TestWeb, WATCHING } from '../../src/testing/test-web.ts';
import { deployment } from '../e2e/cluster.ts';
import { until } from '../until.ts';
import { configMap, isLive, newPage, open, pods } from './open-page.ts';

export function testStream(): void {
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
    const page = await newPage(t);
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
    const page = await newPage(t);
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
}
