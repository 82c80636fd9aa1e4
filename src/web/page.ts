/** The page: what fails, what changed, what waits, what is watched. Server-rendered; the client script only keeps it fresh. */
import { html } from 'hono/html';
import type { Health } from '../health.ts';
import { podsSection } from './page-pods.ts';
import { VERSION } from '../version.ts';
import { head, type Html } from './html.ts';
import { changesSection } from './page-changes.ts';
import { deadLettersSection, deliverySection } from './page-delivery.ts';
import type { LiveModel, PageModel, TopModel } from './page-model.ts';
import { noticesSection, scopesSection } from './page-scopes.ts';

/** The part of the page that needs no waiting: the browser can already load and show it. `<main>` stays open. */
export function pageTop({ now, cluster, health, base, isLoggedIn }: TopModel): Html {
  // Prettier would close `<main>`.
  // prettier-ignore
  return html`<!doctype html>
    <html lang="en">
      ${head(base, `${cluster} · watchchain`)}
      <body data-base="${base}" data-now="${new Date(now).toISOString()}">
        <a class="skip" href="#changes">Skip to the changes</a>
        <header>
          <h1>${cluster}</h1>
          ${stateOf(health)}
          <span id="live" class="quiet" role="status"></span>
          ${isLoggedIn ? html`<button data-logout>Log out</button>` : ''}
        </header>
        <main>
          ${noticesSection(health)}`;
}

export function pageSections(model: PageModel): Html {
  return html`${podsSection(model)} ${deadLettersSection(model)} ${changesSection(model)} ${deliverySection(model)}
  ${scopesSection(model)}`;
}

/** In place of the sections: the response's status was already sent. */
export function pageFailure(): Html {
  return html`<p class="notice" role="alert">
    The rest of this page cannot be shown: see the log of the service, then reload.
  </p>`;
}

export function pageEnd(base: string): Html {
  // Prettier would open `<main>` again.
  // prettier-ignore
  return html`</main>
        <footer>
          watchchain ${VERSION} · <a href="${base}/openapi.json">API</a> · <a href="${base}/config">configuration</a> ·
          <a href="${base}/metrics">metrics</a> · times are in
          <span id="zone">UTC, and buttons do nothing: this page needs JavaScript</span>
        </footer>
      </body>
    </html>`;
}

/** The sections that the client refreshes, by id: all but the changes, which are streamed. */
export function fragments(model: LiveModel): Html {
  return html`<!doctype html>
    <title>fragments</title>
    <body data-now="${new Date(model.now).toISOString()}">
      ${stateOf(model.health)} ${noticesSection(model.health)} ${podsSection(model)} ${deadLettersSection(model)}
      ${deliverySection(model)} ${scopesSection(model)}
    </body>`;
}

function stateOf(health: Health): Html {
  const { text, tone } = wordsOf(health);
  return html`<span id="state" data-live class="state ${tone}">${text}</span>`;
}

/** The state of the service, not of what it watches: red rows speak for themselves. */
function wordsOf({ ready, phase, degraded, configProblem }: Health): { readonly text: string; readonly tone: string } {
  if (!ready) return { text: phase === 'running' ? 'not ready' : phase, tone: 'bad' };
  const isWell = degraded.length === 0 && configProblem === undefined;
  return isWell ? { text: 'watching', tone: 'good' } : { text: 'degraded', tone: 'warn' };
}
