/** Debian's Chromium, for what only a browser can show. */
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** Why the tests of the page are skipped; undefined if they are not. CI installs Chromium, and skips nothing. */
export const WITHOUT_BROWSER: string | undefined =
  existsSync(CHROMIUM) || process.env['CI'] !== undefined
    ? undefined
    : `there is no Chromium at ${CHROMIUM}: apt-get install chromium, or name one in CHROMIUM`;

export function launchBrowser(...args: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', ...args] });
}
