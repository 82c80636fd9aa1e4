/** The changes on the page, newest first. */
import { html } from 'hono/html';
import { managersIn } from '../change/remarks.ts';
import type { ChangesQuery, ShownChange } from './changes.ts';
import { withArrows, type Html } from './html.ts';
import type { PageModel } from './page-model.ts';

export function changesSection(model: PageModel): Html {
  const { changes, query, queryProblem, base } = model;
  if (changes === undefined) return waitingSection(model);
  // Older changes, or none because of an invalid query: new ones are not added.
  const isStill = query.before !== undefined || queryProblem !== undefined;
  return html`<section id="changes" aria-labelledby="changes-title">
    <h2 id="changes-title">Changes <small id="more" role="status"></small></h2>
    ${filterForm(query, base)}
    ${queryProblem === undefined ? '' : html`<p class="notice" role="alert">${queryProblem}</p>`}
    <ol class="changes" id="change-list" ${isStill ? 'data-still' : ''}>
      ${changes.map(changeItem)}
    </ol>
    ${changes.length === 0 ? html`<p class="empty" id="no-changes">${nothing(query)}</p>` : ''}
    ${furtherLinks(changes, query, base)}
    <template id="change-template">${changeItem(BLANK)}</template>
  </section>`;
}

/** The client loads the page again once there is something to show. */
function waitingSection({ health: { phase } }: PageModel): Html {
  const text =
    phase === 'standby'
      ? 'This process is on standby: the page of the one that holds the Lease shows the changes.'
      : 'Changes appear here once the service is running.';
  return html`<section id="changes" aria-labelledby="changes-title">
    <h2 id="changes-title">Changes</h2>
    <p class="empty">${text}</p>
    <ol class="changes" id="change-list" data-waiting hidden></ol>
  </section>`;
}

/** `autocomplete="off"`, because a browser that goes back otherwise fills in what was last typed. */
function filterForm(query: ChangesQuery, base: string): Html {
  const field = (name: 'kind' | 'namespace' | 'name' | 'by', label: string, placeholder: string) =>
    html`<label
      >${label}<input
        name="${name}"
        value="${query[name] ?? ''}"
        placeholder="${placeholder}"
        autocomplete="off"
        autocapitalize="off"
        spellcheck="false"
    /></label>`;
  return html`<form class="filters" method="get" action="${base}/" role="search" aria-label="Filter changes">
    ${field('kind', 'Kind', 'deployment')} ${field('namespace', 'Namespace', 'team-*')} ${field('name', 'Name', 'web*')}
    ${field('by', 'Who', 'kubectl*')}
    ${query.since === undefined ? '' : html`<input type="hidden" name="since" value="${query.since}" />`}
    <button>Filter</button>
    ${isFiltered(query) ? html`<a href="${base}/">All</a>` : ''}
  </form>`;
}

function isFiltered({ limit: _limit, before: _before, ...filters }: ChangesQuery): boolean {
  return Object.keys(filters).length > 0;
}

function nothing(query: ChangesQuery): string {
  return isFiltered(query) ? 'No changes match.' : 'Nothing has changed since watching began.';
}

function furtherLinks(changes: readonly ShownChange[], query: ChangesQuery, base: string): Html {
  const oldest = changes.at(-1);
  const isFull = oldest !== undefined && changes.length >= query.limit;
  return html`<nav class="further" aria-label="Pages of changes">
    ${query.before === undefined ? '' : html`<a href="${base}/?${search(query, undefined)}">Newest</a>`}
    <a id="older" href="${base}/?${search(query, oldest?.id)}" ${isFull ? '' : 'hidden'}>Older</a>
  </nav>`;
}

function search({ limit: _limit, before: _before, ...filters }: ChangesQuery, before: number | undefined): string {
  const all = { ...filters, ...(before === undefined ? {} : { before }) };
  return new URLSearchParams(
    Object.entries(all).map(([key, value]): [string, string] => [key, String(value)]),
  ).toString();
}

/** The client fills copies of it, so that changes have the same markup everywhere. */
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
  const who = managersIn(by).join(', ');
  return html`<li data-id="${id}">
    <time datetime="${time}" title="${time}" data-slot="time">${time}</time>
    <span class="action ${action}" data-slot="action">${action}</span>
    <div class="what">
      <span class="quiet" data-slot="kind">${kind}</span> <bdi data-slot="key">${key}</bdi>
      <span class="quiet by" data-slot="by">${who === '' ? '' : `by ${who}`}</span>
      <div data-slot="what">${withArrows([what ?? '', ...remarks].filter(Boolean).join(' · '))}</div>
      ${diff === undefined || diff === '' ? '' : diffBlock(diff)}
    </div>
  </li>`;
}

/** As plain text: the client colours it when it is opened. */
function diffBlock(diff: string): Html {
  return html`<details data-slot="details">
    <summary>diff</summary>
    <pre data-slot="diff" tabindex="0">${diff}</pre>
  </details>`;
}
