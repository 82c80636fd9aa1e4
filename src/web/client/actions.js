/** What the page's buttons do. */
import { showTimes } from './times.js';

/** The headers that the server requires for a write. */
const JSON_WRITE = { 'content-type': 'application/json', 'x-watchchain': 'page' };

/** @typedef {{ base: string, say: (text: string) => void }} Surroundings */

/**
 * @param {string} path
 * @param {object} body
 */
function post(path, body) {
  return fetch(path, { method: 'POST', headers: JSON_WRITE, body: JSON.stringify(body) });
}

/**
 * @param {HTMLButtonElement} button
 * @param {Surroundings & { done: () => void }} surroundings
 */
export async function act(button, surroundings) {
  const { replay, discard, ack, events, logout } = button.dataset;
  if (logout !== undefined) return logOut(surroundings);
  if (events !== undefined) return showEvents(events, surroundings);
  if (ack !== undefined) return change(button, '/api/alerts/ack', ack, surroundings);
  if (replay !== undefined) return change(button, '/api/dead-letters/replay', Number(replay), surroundings);
  if (discard !== undefined && confirm(`Discard dead letter ${discard}? This cannot be undone.`))
    return change(button, '/api/dead-letters/discard', Number(discard), surroundings);
}

/**
 * @param {HTMLButtonElement} button
 * @param {string} path
 * @param {string | number} id
 * @param {Surroundings & { done: () => void }} surroundings
 */
async function change(button, path, id, { base, say, done }) {
  // Not `disabled`, which would take the focus away from keyboard users.
  if (button.ariaDisabled === 'true') return;
  button.ariaDisabled = 'true';
  try {
    const answer = await post(base + path, { ids: [id] });
    say(answer.ok ? `${button.getAttribute('aria-label')}: ${await outcomeOf(answer, id)}` : await reasonOf(answer));
  } finally {
    button.ariaDisabled = null;
  }
  done();
}

/**
 * Somebody else may have been faster.
 * @param {Response} answer
 * @param {string | number} id
 */
async function outcomeOf(answer, id) {
  const { ids } = await answer.json();
  return ids.includes(id) ? 'done' : 'nothing to do, it was already gone';
}

/**
 * @param {string} pod `namespace/name`
 * @param {Surroundings} surroundings
 */
async function showEvents(pod, { base }) {
  const dialog = document.createElement('dialog');
  dialog.setAttribute('aria-label', `Events of ${pod}`);
  const title = element('h2', `Events of ${pod}`);
  const close = element('button', 'Close');
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => {
    dialog.remove();
    // The pressed button may have been replaced in the meantime.
    const pressed = document.querySelector(`[data-events="${CSS.escape(pod)}"]`);
    if (pressed instanceof HTMLElement) pressed.focus();
  });
  dialog.append(title, element('p', 'Asking the cluster'), close);
  document.body.append(dialog);
  dialog.showModal();
  const asked = eventsAt(`${base}/events/${pod.split('/').map(encodeURIComponent).join('/')}`);
  dialog.querySelector('p')?.replaceWith(await asked.catch(() => element('p', 'Cannot reach the service')));
  showTimes(dialog);
}

/** @param {string} path */
async function eventsAt(path) {
  const answer = await fetch(path);
  if (answer.ok) return eventsTable(await answer.json());
  return element('p', await reasonOf(answer));
}

/** Falls back to the status, as the gate and proxies do not answer in JSON. @param {Response} answer @returns {Promise<string>} */
async function reasonOf(answer) {
  const status = `The request failed: ${answer.status}`;
  const { error = status } = await answer.json().catch(() => ({}));
  return error;
}

/**
 * @typedef {{
 *   localizedTime: string, lastTimestamp?: string, eventTime?: string, type?: string, reason?: string, message?: string,
 *   count?: number, series?: { count?: number, lastObservedTime?: string },
 * }} KubernetesEvent
 */

/** @param {readonly KubernetesEvent[]} events */
function eventsTable(events) {
  if (events.length === 0) return element('p', 'No Events: the cluster keeps them for an hour.');
  const table = document.createElement('table');
  const head = table.createTHead().insertRow();
  for (const title of ['Time', 'Reason', 'Message']) head.append(element('th', title));
  const body = table.createTBody();
  for (const event of events.toReversed()) {
    const row = body.insertRow();
    const time = document.createElement('time');
    // The scheduler and other users of the newer recorder count repeats only in `series`.
    const { count = 1, lastTimestamp, series, eventTime } = event;
    time.dateTime = time.title = lastTimestamp ?? series?.lastObservedTime ?? eventTime ?? '';
    time.textContent = event.localizedTime;
    row.insertCell().append(time);
    const times = Math.max(count, series?.count ?? 1);
    row.insertCell().textContent = `${event.reason ?? ''}${times > 1 ? ` (${times} times)` : ''}`;
    row.insertCell().textContent = (event.message ?? '').slice(0, 2_000);
  }
  return table;
}

/**
 * @param {string} name
 * @param {string} text
 */
function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

/**
 * @param {HTMLFormElement} form
 * @param {Surroundings} surroundings
 */
export async function logIn(form, { base, say }) {
  const token = new FormData(form).get('token');
  const answer = await post(`${base}/login`, { token });
  if (answer.ok) location.reload();
  else say(NOT_IN[answer.status] ?? `Could not log in: ${answer.status}`);
}

/** @param {Surroundings} surroundings */
async function logOut({ base, say }) {
  const answer = await post(`${base}/logout`, {});
  if (answer.ok) location.reload();
  else say(`Could not log out: ${answer.status}`);
}

/** @type {Readonly<Record<number, string>>} */
const NOT_IN = {
  401: 'This token is not valid',
  403: 'This token may not see this, or the cluster cannot be asked whether it may',
};
