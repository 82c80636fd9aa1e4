/** The page in a browser: its pods and their Events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podOf, waiting } from '../../src/testing/failing-pods.ts';
import { HOSTILE, isLive, open, pods } from './open-page.ts';

export function testPods(): void {
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
}
