/** The page in a browser: its changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podOf, waiting } from '../../src/testing/failing-pods.ts';
import { systemClock } from '../../src/clock.ts';
import { TestWeb } from '../../src/testing/test-web.ts';
import { until } from '../until.ts';
import { configMap, isLive, newPage, open, pods } from './open-page.ts';

export function testChanges(): void {
  test('the lines of a diff are built only when it is opened', async (t) => {
    const web = await TestWeb.start(t, { service: { clock: systemClock } });
    const page = await newPage(t);
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

  test('an open diff is printed as a whole', async (t) => {
    const web = await TestWeb.start(t, { service: { clock: systemClock } });
    const page = await newPage(t);
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
}
