/** What became of the changes: dead letters, waiting, delivered; and the state of the receivers. */
import { html } from 'hono/html';
import type { ReceiverState } from '../delivery/receiver.ts';
import type { Balance } from '../store/looking-back.ts';
import { agoOf, timeOf, type Html } from './html.ts';
import type { LetterRow, LiveModel } from './page-model.ts';
import { visible } from './text.ts';

/** Longer names and errors are cut. */
const MAX_TEXT_CHARS = 500;

/** Present even if there are none, so that the client can replace it. */
export function deadLettersSection({ deadLetters, balances }: LiveModel): Html {
  const kept = balances.reduce((n, { dead, replayed }) => n + dead - replayed, 0);
  if (deadLetters.length === 0) return html`<section id="dead-letters" data-live></section>`;
  return html`<section id="dead-letters" data-live aria-labelledby="dead-letters-title">
    <h2 id="dead-letters-title">
      Dead letters
      <small
        >${kept} given up and
        kept${kept > deadLetters.length ? `, showing the oldest ${deadLetters.length}` : ''}</small
      >
    </h2>
    <table class="stack">
      <thead>
        <tr>
          <th scope="col">Since</th>
          <th scope="col">Object</th>
          <th scope="col">Handler</th>
          <th scope="col">Why</th>
          <th scope="col"><span class="unseen">What to do</span></th>
        </tr>
      </thead>
      <tbody>
        ${deadLetters.map(deadLetterRow)}
      </tbody>
    </table>
  </section>`;
}

function deadLetterRow({ id, diedAt, kind, key, handler, error }: LetterRow): Html {
  const object = visible(`${kind} ${key}`, MAX_TEXT_CHARS);
  return html`<tr class="alarm">
    <td data-label="since">${timeOf(diedAt)}</td>
    <td data-label="object"><bdi>${object}</bdi></td>
    <td data-label="handler">${handler}</td>
    <td data-label="why">${visible(error, MAX_TEXT_CHARS)}</td>
    <td class="buttons">
      <button type="button" data-replay="${id}" aria-label="Replay ${object}">Replay</button>
      <button type="button" data-discard="${id}" aria-label="Discard ${object}">Discard</button>
    </td>
  </tr>`;
}

export function deliverySection({ balances, receivers }: LiveModel): Html {
  return html`<section id="delivery" data-live aria-labelledby="delivery-title">
    <h2 id="delivery-title">Delivery</h2>
    <table class="stack">
      <thead>
        <tr>
          <th scope="col">Chain</th>
          <th scope="col" class="number">Waiting</th>
          <th scope="col" class="number">Completed</th>
          <th scope="col" class="number">Halted</th>
          <th scope="col" class="number">Merged</th>
          <th scope="col" class="number">Given up</th>
        </tr>
      </thead>
      <tbody>
        ${balances.map(chainRow)}
      </tbody>
    </table>
    ${receivers.length === 0 ? '' : receiversTable(receivers, balances)}
  </section>`;
}

function chainRow({ chain, pending, completed, halted, superseded, dead }: Balance): Html {
  return html`<tr>
    <td data-label="chain">${chain}</td>
    <td class="number" data-label="waiting">${pending}</td>
    <td class="number" data-label="completed">${completed}</td>
    <td class="number" data-label="halted">${halted}</td>
    <td class="number" data-label="merged">${superseded}</td>
    <td class="number" data-label="given up">${dead}</td>
  </tr>`;
}

function receiversTable(receivers: readonly ReceiverState[], balances: readonly Balance[]): Html {
  return html`<table class="stack">
    <thead>
      <tr>
        <th scope="col">Receiver</th>
        <th scope="col">Host</th>
        <th scope="col">State</th>
        <th scope="col" class="number">Queue</th>
        <th scope="col">Last delivered</th>
        <th scope="col">Last error</th>
      </tr>
    </thead>
    <tbody>
      ${receivers.map((receiver) => receiverRow(receiver, balances))}
    </tbody>
  </table>`;
}

function receiverRow(
  { names, host, lastOkAt, lastFailure, restsUntil }: ReceiverState,
  balances: readonly Balance[],
): Html {
  const isFailing = lastFailure !== undefined && lastFailure.at > (lastOkAt ?? 0);
  const [tone, words] =
    restsUntil !== undefined
      ? ['bad', 'paused']
      : isFailing
        ? ['warn', 'failing']
        : ['good', lastOkAt === undefined ? 'not used yet' : 'works'];
  // The queue is counted by the sinks' chains: a change waits in its chain once, whatever it waits for.
  const chains = new Set(names.map((name) => name.slice(0, Math.max(0, name.lastIndexOf('/')))));
  const queue = balances.filter(({ chain }) => chains.has(chain)).reduce((n, { pending }) => n + pending, 0);
  return html`<tr class="${restsUntil === undefined ? '' : 'alarm'}">
    <td data-label="receiver">${names.join(', ')}</td>
    <td data-label="host">${host}</td>
    <td data-label="state">
      <span class="state ${tone}">${words}</span
      >${restsUntil === undefined ? '' : html`, next try ${timeOf(restsUntil)}`}
    </td>
    <td class="number" data-label="queue">${queue}</td>
    <td data-label="last delivered">${lastOkAt === undefined ? 'never' : agoOf(lastOkAt)}</td>
    <td data-label="last error">
      ${lastFailure === undefined ? 'none' : html`${agoOf(lastFailure.at)}: ${visible(lastFailure.error, MAX_TEXT_CHARS)}`}
    </td>
  </tr>`;
}
