/** Redraws docs/page-*.png: `node test/web/pictures.ts`. Run manually, because pictures depend on the machine's fonts. */
import { join } from 'node:path';
import { World } from '../e2e/world.ts';
import { launchBrowser } from './browser.ts';
import { tellStory } from './story.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const PICTURES = [
  { name: 'page-light', colorScheme: 'light', width: 1280, height: 1250 },
  { name: 'page-dark', colorScheme: 'dark', width: 1280, height: 1250 },
  { name: 'page-phone', colorScheme: 'light', width: 390, height: 844 },
] as const;

await using world = await World.start((request, n) =>
  request.path === '/team' && n === 1 ? { status: 404, body: 'no_service' } : { status: 200, body: 'ok' },
);
await using running = await tellStory(world);
await running.app.idle();
const browser = await launchBrowser();
for (const { name, colorScheme, width, height } of PICTURES) {
  const page = await browser.newPage({ colorScheme, viewport: { width, height } });
  await page.goto(`http://${running.app.listening}`);
  await page.getByText('live', { exact: true }).waitFor();
  await page.locator('#pods tbody tr').nth(4).waitFor();
  await page.locator('#change-list summary').first().click();
  await page.evaluate('scrollTo(0, 0)');
  await page.screenshot({ path: join(DOCS, `${name}.png`) });
}
await browser.close();
