/** The page: what fails, what changed, what waits, what is watched. Server-rendered; the client script only keeps it fresh. */
import { html } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import type { Health } from '../health.ts';
import type { ScopeHealth } from '../source/source.ts';
import type { Balance, DeadLetter } from '../store/store.ts';
import { VERSION } from '../version.ts';
import type { ChangesQuery, ShownChange } from './changes.ts';

/** Everything that the page shows. Texts are as they came: the page escapes them. */
export interface PageModel {
  readonly cluster: string;
  /** Of the addresses in the page. */
  readonly basePath: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly health: Health;
  readonly query: ChangesQuery;
  /** Why the query shows nothing, such as a kind of which nothing is recorded. */
  readonly queryProblem: string | undefined;
  /** Newest first. */
  readonly changes: readonly ShownChange[];
  readonly balances: readonly Balance[];
  readonly deadLetters: readonly DeadLetter[];
}

type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

export function page(model: PageModel): Html {
  const { cluster, basePath, health } = model;
  const state = stateOf(health);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${cluster} · watchchain</title>
        ${assets(basePath)}
      </head>
      <body data-base="${basePath}">
        <a class="skip" href="#changes">To the changes</a>
        <header>
          <h1>${cluster}</h1>
          <span class="state ${state.tone}">${state.text}</span>
          <span id="live" class="quiet" role="status"></span>
        </header>
        <main>
          ${notices(health)} ${changesSection(model)} ${deadLettersSection(model)} ${chainsSection(model)}
          ${scopesSection(model)}
        </main>
        <footer>
          watchchain ${VERSION} · <a href="${basePath}/metrics">metrics</a> ·
          <a href="${basePath}/openapi.json">API</a> · times are in your zone
        </footer>
      </body>
    </html>`;
}

function assets(basePath: string): Html {
  return html`<link rel="stylesheet" href="${basePath}/assets/page.css" />
    <script type="module" src="${basePath}/assets/page.js"></script>`;
}

/** Where the gate asks for a token. */
export function loginPage(basePath: string): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>watchchain</title>
        ${assets(basePath)}
      </head>
      <body data-base="${basePath}">
        <main>
          <h2>watchchain</h2>
          <form class="filters" id="login">
            <label
              >Token<input name="token" type="password" autocomplete="current-password" required autofocus
            /></label>
            <button>Show</button>
          </form>
          <p class="quiet" id="live" role="status"></p>
        </main>
      </body>
    </html>`;
}

function stateOf(health: Health): { readonly text: string; readonly tone: string } {
  if (!health.ready) return { text: `not ready: ${health.phase}`, tone: 'bad' };
  return health.degraded.length === 0 ? { text: 'all well', tone: 'good' } : { text: 'degraded', tone: 'warn' };
}

function notices({ configProblem, degraded }: Health): Html {
  const problems = [
    ...(configProblem === undefined ? [] : [`The configuration file is not what runs: ${configProblem}`]),
    ...degraded.map((scope) => `${nameOf(scope)}: ${scope.problem ?? 'unknown'}`),
  ];
  return html`${problems.map((problem) => html`<p class="notice" role="alert">${problem}</p>`)}`;
}

function changesSection({ changes, query, queryProblem, basePath }: PageModel): Html {
  const field = (name: 'kind' | 'namespace' | 'name' | 'by', label: string, placeholder: string) =>
    html`<label>${label}<input name="${name}" value="${query[name] ?? ''}" placeholder="${placeholder}" /></label>`;
  const oldest = changes.at(-1);
  return html`<section id="changes" aria-label="Changes">
    <h2>Changes <small id="more"></small></h2>
    <form class="filters" method="get" action="${basePath}/">
      ${field('kind', 'Kind', 'deployment')} ${field('namespace', 'Namespace', 'shop, team-*')}
      ${field('name', 'Name', 'web*')} ${field('by', 'Who', 'kubectl*')}
      <button>Filter</button>
    </form>
    ${queryProblem === undefined ? '' : html`<p class="notice">${queryProblem}</p>`}
    <ol class="changes" id="change-list">
      ${changes.map(changeItem)}
      ${changes.length === 0 ? html`<li class="empty">Nothing has changed since this began to watch.</li>` : ''}
    </ol>
    ${
      oldest === undefined || changes.length < query.limit
        ? ''
        : html`<p><a href="${basePath}/?${olderThan(query, oldest.id)}">Older changes</a></p>`
    }
    <template id="change-template">${changeItem(BLANK)}</template>
  </section>`;
}

/** The client fills a copy of it: there is one form of a change. */
const BLANK: ShownChange = {
  headline: '',
  id: 0,
  time: '',
  cluster: '',
  action: 'updated',
  apiVersion: '',
  kind: '',
  key: '',
  name: '',
  uid: '',
  resourceVersion: '',
  by: [],
  flags: [],
  diff: ' ',
  remarks: [],
};

function changeItem(change: ShownChange): Html {
  const { id, time, action, kind, key, what, by, diff, remarks } = change;
  const who = [...new Set(by.map(({ manager }) => manager))].join(', ');
  return html`<li data-id="${id}">
    <div class="first">
      <span class="action ${action}" data-slot="action">${action}</span>
      <strong data-slot="object">${kind} ${key}</strong>
      <time datetime="${time}" title="${time}" data-slot="time">${time}</time>
      <span class="quiet" data-slot="by">${who === '' ? '' : `by ${who}`}</span>
    </div>
    <div data-slot="what">${[what ?? '', ...remarks].filter(Boolean).join(' · ')}</div>
    ${diff === undefined || diff === '' ? '' : diffBlock(diff)}
  </li>`;
}

function diffBlock(diff: string): Html {
  const lines = diff.split('\n').map((line) => {
    const kind = line.startsWith('+') ? 'add' : line.startsWith('-') ? 'del' : '';
    return html`<span class="${kind}">${line}</span>${'\n'}`;
  });
  return html`<details data-slot="details">
    <summary>what changed</summary>
    <pre data-slot="diff">${lines}</pre>
  </details>`;
}

function olderThan(query: ChangesQuery, before: number): string {
  const { limit: _limit, ...filters } = query;
  const parts = Object.entries({ ...filters, before }).map(([key, value]): [string, string] => [key, String(value)]);
  return new URLSearchParams(parts).toString();
}

function deadLettersSection({ deadLetters }: PageModel): Html {
  if (deadLetters.length === 0) return html``;
  return html`<section aria-label="Dead letters">
    <h2>Dead letters <small>${deadLetters.length} given up, and kept</small></h2>
    <div class="scroll">
      <table class="stack">
        <thead>
          <tr>
            <th>Since</th>
            <th>Object</th>
            <th>Handler</th>
            <th>Why</th>
            <th></th>
          </tr>
        </thead>
        <tbody>
          ${deadLetters.map(deadLetterRow)}
        </tbody>
      </table>
    </div>
  </section>`;
}

function deadLetterRow({ id, diedAt, change, handler, error }: DeadLetter): Html {
  return html`<tr class="alarm">
    <td data-label="since">${timeOf(diedAt)}</td>
    <td data-label="object">${change.gvk.kind} ${change.key}</td>
    <td data-label="handler">${handler}</td>
    <td data-label="why">${error}</td>
    <td>
      <button type="button" data-replay="${id}" aria-label="Replay dead letter ${id}">Replay</button>
      <button type="button" data-discard="${id}" aria-label="Discard dead letter ${id}">Discard</button>
    </td>
  </tr>`;
}

function chainsSection({ balances }: PageModel): Html {
  return html`<section aria-label="Chains">
    <h2>Chains</h2>
    <div class="scroll">
      <table class="stack">
        <thead>
          <tr>
            <th>Chain</th>
            <th class="number">Waiting</th>
            <th class="number">Delivered</th>
            <th class="number">Halted</th>
            <th class="number">Merged</th>
            <th class="number">Given up</th>
          </tr>
        </thead>
        <tbody>
          ${balances.map(
            (chain) =>
              html`<tr>
                <td data-label="chain">${chain.chain}</td>
                <td class="number" data-label="waiting">${chain.pending}</td>
                <td class="number" data-label="delivered">${chain.completed}</td>
                <td class="number" data-label="halted">${chain.halted}</td>
                <td class="number" data-label="merged">${chain.superseded}</td>
                <td class="number" data-label="given up">${chain.dead}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function scopesSection({ health, now }: PageModel): Html {
  return html`<section aria-label="What is watched">
    <h2>Watched</h2>
    <div class="scroll">
      <table class="stack">
        <thead>
          <tr>
            <th>Resource</th>
            <th>Namespace</th>
            <th>State</th>
            <th class="number">Objects</th>
            <th>Last heard</th>
          </tr>
        </thead>
        <tbody>
          ${health.scopes.map((scope) => scopeRow(scope, now))}
        </tbody>
      </table>
    </div>
  </section>`;
}

function scopeRow(scope: ScopeHealth, now: number): Html {
  const tone = scope.state === 'watching' ? 'good' : scope.state === 'degraded' ? 'bad' : 'warn';
  return html`<tr class="${scope.state === 'degraded' ? 'alarm' : ''}">
    <td data-label="resource">${scope.resource ?? scope.kind}</td>
    <td data-label="namespace">${scope.namespace === '' ? 'all' : scope.namespace}</td>
    <td data-label="state"><span class="state ${tone}">${scope.state}</span></td>
    <td class="number" data-label="objects">${scope.objects}</td>
    <td data-label="last heard">${scope.lastHeardAt === undefined ? 'never' : ago(now - scope.lastHeardAt)}</td>
  </tr>`;
}

function nameOf({ resource, kind, namespace }: ScopeHealth): string {
  return `${resource ?? kind}${namespace === '' ? '' : ` in ${namespace}`}`;
}

/** In RFC 3339; the client shows it in the viewer's zone. */
function timeOf(ms: number): Html {
  const time = new Date(ms).toISOString();
  return html`<time datetime="${time}" title="${time}">${time}</time>`;
}

function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min ago` : `${Math.round(minutes / 60)} h ago`;
}
