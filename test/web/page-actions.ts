/** The page in a browser: what one can do there, and the login. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLive, open, pods } from './open-page.ts';

export function testActions(): void {
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

  test('an action that gets no answer fails after 20 s, and can be repeated', async (t) => {
    const { page, url } = await open(t);
    await page.clock.install();
    await page.goto(url);
    await isLive(page);
    const asked = Promise.withResolvers<unknown>();
    await page.route('**/api/dead-letters/**', asked.resolve);
    const replay = page.getByRole('button', { name: 'Replay Deployment shop/search' });
    await replay.click();
    await asked.promise;
    await page.clock.fastForward(20_000);
    await page.getByText('Cannot reach the service').waitFor();
    await page.unroute('**/api/dead-letters/**');
    await replay.click();
    await page.getByText('Replay Deployment shop/search: done').waitFor();
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
}
