/** The beginning of every page. */
import { html, raw } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import { style } from './style.ts';

/** HTML in which inserted texts are escaped. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** Inline, so that the first paint waits for no other response. The policy has its exact hash, so no formatter may touch it. */
const STYLE = raw(`<style>${style}</style>`);

/** @param base the prefix of all links in the page */
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

/** The text, with no line break inside the arrow between an old and a new value. */
export function withArrows(text: string): Html {
  const [first, ...rest] = text.split('->');
  return html`${first}${rest.map((part) => html`<span class="arrow">-&gt;</span>${part}`)}`;
}

/** A time in RFC 3339, which the client shows in the viewer's zone. */
export function timeOf(ms: number): Html {
  const time = new Date(ms).toISOString();
  return html`<time datetime="${time}" title="${time}">${time}</time>`;
}

/** Like {@link timeOf}, but the client shows how long ago it was, and keeps that up to date. */
export function agoOf(ms: number): Html {
  const time = new Date(ms).toISOString();
  return html`<time datetime="${time}" title="${time}" data-ago>${time}</time>`;
}
