/** What every page begins with. */
import { html, raw } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import { style } from './style.ts';

/** Texts that were put into it are escaped. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** In the page, so that the first paint waits for no other answer. The policy names its hash: to the byte, so that no formatter may touch it. */
const STYLE = raw(`<style>${style}</style>`);

/** @param base of the addresses in the page */
export function head(base: string, title: string): Html {
  return html`<head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${title}</title>
    <link rel="icon" href="${base}/assets/icon.svg" type="image/svg+xml" />
    ${STYLE}
    <script type="module" src="${base}/assets/page.js"></script>
  </head>`;
}

/** In RFC 3339; the client shows it in the viewer's zone. */
export function timeOf(ms: number): Html {
  const time = new Date(ms).toISOString();
  return html`<time datetime="${time}" title="${time}">${time}</time>`;
}

/** As {@link timeOf}; the client shows how long ago it was, and keeps that true. */
export function agoOf(ms: number): Html {
  const time = new Date(ms).toISOString();
  return html`<time datetime="${time}" title="${time}" data-ago>${time}</time>`;
}
