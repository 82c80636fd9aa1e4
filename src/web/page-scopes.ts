/** What is watched, how fresh it is, and what is wrong. */
import { html } from 'hono/html';
import { nameOf, type Health } from '../health.ts';
import type { ScopeHealth } from '../source/source.ts';
import { agoOf, type Html } from './html.ts';
import type { LiveModel } from './page-model.ts';

export function noticesSection({ configProblem, degraded }: Health): Html {
  const problems = [
    ...(configProblem === undefined ? [] : [`The changed configuration file is not in effect: ${configProblem}`]),
    ...degraded.map((scope) => `${nameOf(scope)} is degraded: ${scope.problem ?? 'unknown'}`),
  ];
  return html`<div id="notices" data-live>
    ${problems.map((problem) => html`<p class="notice" role="alert">${problem}</p>`)}
  </div>`;
}

export function scopesSection({ health }: LiveModel): Html {
  return html`<section id="watched" data-live aria-labelledby="watched-title">
    <h2 id="watched-title">Watched</h2>
    <table class="stack">
      <thead>
        <tr>
          <th scope="col">Resource</th>
          <th scope="col">Namespace</th>
          <th scope="col">State</th>
          <th scope="col" class="number">Objects</th>
          <th scope="col">Last heard from</th>
        </tr>
      </thead>
      <tbody>
        ${health.scopes.map(scopeRow)}
      </tbody>
    </table>
  </section>`;
}

function scopeRow({ resource, kind, namespace, state, objects, lastHeardAt }: ScopeHealth): Html {
  const tone = state === 'watching' ? 'good' : state === 'degraded' ? 'bad' : 'warn';
  return html`<tr class="${state === 'degraded' ? 'alarm' : ''}">
    <td data-label="resource">${resource ?? kind}</td>
    <td data-label="namespace">${namespace === '' ? 'all' : namespace}</td>
    <td data-label="state"><span class="state ${tone}">${state}</span></td>
    <td class="number" data-label="objects">${objects}</td>
    <td data-label="last heard from">${lastHeardAt === undefined ? 'never' : agoOf(lastHeardAt)}</td>
  </tr>`;
}
