/** What the page loads beside itself: from here, so that it needs no other host. */
import { readFile } from 'node:fs/promises';
import { style } from './style.ts';

export interface Asset {
  readonly type: string;
  readonly body: string;
}

/** By the name below `/assets/`. Read once: at the start, so that a missing file shows then. */
export async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  return new Map([
    ['page.css', { type: 'text/css; charset=utf-8', body: style }],
    [
      'page.js',
      {
        type: 'text/javascript; charset=utf-8',
        body: await readFile(new URL('client/page.js', import.meta.url), 'utf8'),
      },
    ],
  ]);
}
