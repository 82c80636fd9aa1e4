/** The files that the page loads: served from here, so that it needs no other host. */
import { readFile } from 'node:fs/promises';

export interface Asset {
  readonly type: string;
  readonly body: string;
}

/** In the folder `client/`. */
const SCRIPTS = ['page.js', 'times.js', 'actions.js'];

/** By the name below `/assets/`. Read once, at the start, so that a missing file is noticed then. */
export async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  const scripts = await Promise.all(
    SCRIPTS.map(async (name): Promise<[string, Asset]> => {
      const body = await readFile(new URL(`client/${name}`, import.meta.url), 'utf8');
      return [name, { type: 'text/javascript; charset=utf-8', body }];
    }),
  );
  return new Map<string, Asset>([['icon.svg', { type: 'image/svg+xml', body: ICON }], ...scripts]);
}

/** Three links of a chain. */
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke="#3b82c4" stroke-width="3.2">
<rect x="2" y="11" width="12" height="10" rx="5"/><rect x="18" y="11" width="12" height="10" rx="5"/><path d="M11 16h10"/></svg>`;
