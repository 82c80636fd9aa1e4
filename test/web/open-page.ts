/** A browser for the tests of the page, and the story's page in it. */
import { after, before, type TestContext } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { World } from '../e2e/world.ts';
import { launchBrowser } from './browser.ts';
import { tellStory, withoutTeam } from './story.ts';

/** HTML, an attribute's end, terminal colours, a right-to-left override. */
export const HOSTILE = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>" onclick='x \u001b[31mred \u202egnp.exe`;

export const configMap = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'shop' },
});

let browser: Browser;

/** One browser for all tests, because it takes long to start. */
export function useBrowser(): void {
  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser.close());
}

/** An empty page, closed with the test. */
export async function newPage(t: TestContext): Promise<Page> {
  const page = await browser.newPage();
  t.after(() => page.close());
  return page;
}

/** The story's page, and its console output. */
export async function open(t: TestContext, web = '', options: BrowserContextOptions = {}) {
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

export const isLive = (page: Page) => page.getByText('live', { exact: true }).waitFor();
export const pods = (page: Page) => page.getByRole('region', { name: 'Pods at risk' });
