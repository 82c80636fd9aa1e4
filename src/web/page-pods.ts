/** The pods at risk, the worst first. */
import { html } from 'hono/html';
import { agoOf, timeOf, withArrows, type Html } from './html.ts';
import type { LiveModel } from './page-model.ts';
import type { Finding } from './pods/findings.ts';
import type { PodRow } from './pods/pod-rows.ts';
import { visible } from './text.ts';

const MAX_TEXT_CHARS = 300;

/** Empty without `podAlerts`, so that the client can replace it later; small when all is well. */
export function podsSection({ pods }: LiveModel): Html {
  if (pods === undefined) return html`<section id="pods" data-live></section>`;
  const { rows, total, failing, watched } = pods;
  const besides = countText(failing.Node, 'node') + countText(failing.Job, 'job');
  return html`<section id="pods" data-live aria-labelledby="pods-title">
    <h2 id="pods-title">
      Pods at risk <small>${failing.Pod === 0 ? 'none' : failing.Pod} of ${watched} watched${besides}</small>
    </h2>
    ${rows.length === 0 ? '' : table(rows)}
    ${total > rows.length ? html`<p class="empty">Showing the first ${rows.length}.</p>` : ''}
  </section>`;
}

function countText(n: number, what: string): string {
  return n === 0 ? '' : `, ${n} ${n === 1 ? what : `${what}s`}`;
}

function table(rows: readonly PodRow[]): Html {
  return html`<table class="stack">
    <thead>
      <tr>
        <th scope="col">Pod</th>
        <th scope="col">Alert</th>
        <th scope="col">State</th>
        <th scope="col" class="number">Restarts</th>
        <th scope="col" class="number">Total</th>
        <th scope="col">Since</th>
        <th scope="col">Last update</th>
        <th scope="col">Last change</th>
        <th scope="col"><span class="unseen">What to do</span></th>
      </tr>
    </thead>
    <tbody>
      ${rows.map(row)}
    </tbody>
  </table>`;
}

function row({ finding, now, lastChange }: PodRow): Html {
  const { id, kind, namespace, name, container, status, problem, restarts } = finding;
  const place = namespace === '' ? name : `${namespace}/${name}`;
  const { reason = '', message, because, exitCode } = problem ?? {};
  const why = [because, exitCode === undefined ? undefined : `exit ${exitCode}`].filter(Boolean).join(', ');
  return html`<tr class="${status === 'Sent' ? 'read' : 'alarm'}">
    <td data-label="pod">
      ${kind === 'Pod' ? '' : html`<span class="quiet">${kind.toLowerCase()} </span>`}<bdi class="name">${place}</bdi>
      <div class="quiet">${workloadText(finding)}</div>
    </td>
    <td data-label="alert">${status}</td>
    <td data-label="state">${stateCell(id, reason, why, message)}</td>
    <td class="number" data-label="restarts">${restartsCell(id, restarts)}</td>
    <td class="number" data-label="total">${now?.restarts ?? ''}</td>
    <td data-label="since">${problem === undefined ? '' : agoOf(problem.since)}</td>
    <td data-label="last update">${now === undefined ? '' : agoOf(now.updatedAt)}</td>
    <td data-label="last change">
      ${lastChange === undefined ? '' : html`${agoOf(lastChange.at)}: ${withArrows(lastChange.what)}${lastChange.who === '' ? '' : html` <span class="quiet">by ${lastChange.who}</span>`}`}
    </td>
    <td class="buttons">
      ${kind === 'Pod' ? html`<button type="button" data-events="${place}" aria-label="Events of ${place}">Events</button>` : ''}
      ${status === 'Sent' ? '' : html`<button type="button" data-ack="${id}" aria-label="Mark ${place} ${container} as read">Read</button>`}
    </td>
  </tr>`;
}

/** `web of Deployment checkout` */
function workloadText({ container, owner, kind }: Finding): string {
  const of = owner === undefined || owner.kind === kind ? '' : `of ${owner.kind} ${owner.name}`;
  return [container, of].filter(Boolean).join(' ');
}

function stateCell(id: string, reason: string, why: string, message: string | undefined): Html {
  const words = html`<strong>${reason}</strong>${why === '' ? '' : ` (${why})`}`;
  if (message === undefined || message === '') return words;
  return html`<details data-key="${id} state">
    <summary>${words}</summary>
    ${visible(message, MAX_TEXT_CHARS)}
  </details>`;
}

function restartsCell(id: string, restarts: readonly number[]): Html {
  if (restarts.length === 0) return html`0`;
  return html`<details data-key="${id} restarts">
    <summary aria-label="${restarts.length} restarts in the window: when">${restarts.length}</summary>
    ${restarts.map((at) => html`<div>${timeOf(at)}</div>`)}
  </details>`;
}
