/** What the page's buttons do. */
import { showTimes } from './times.js';

/** The headers that the server requires for a write. */
const JSON_WRITE = { 'content-type': 'application/json', 'x-watchchain': 'page' };

/** @typedef {{ base: string, announce: (text: string) => void }} PageContext */

/** For an answer: a dead network path must not hold one of the six connections per host, or a button, forever. */
export const REQUEST_TIMEOUT_MS = 20_000;

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
async function request(path, init) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), REQUEST_TIMEOUT_MS);
  try {
    return await fetch(path, { ...init, signal: late.signal });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {string} path
 * @param {object} body
 */
function post(path, body) {
  return request(path, { method: 'POST', headers: JSON_WRITE, body: JSON.stringify(body) });
}

/**
 * @param {HTMLButtonElement} button
 * @param {PageContext & { done: () => void }} page
 */
export async function handleAction(button, page) {
  const { replay, discard, ack, events, logout } = button.dataset;
  if (logout !== undefined) return logOut(page);
  if (events !== undefined) return showEvents(events, page);
  if (ack !== undefined) return postChange(button, '/api/alerts/ack', ack, page);
  if (replay !== undefined) return postChange(button, '/api/dead-letters/replay', Number(replay), page);
  if (discard !== undefined && confirm(`Discard dead letter ${discard}? This cannot be undone.`))
    return postChange(button, '/api/dead-letters/discard', Number(discard), page);
}

/**
 * @param {HTMLButtonElement} button
 * @param {string} path
 * @param {string | number} id
 * @param {PageContext & { done: () => void }} page
 */
async function postChange(button, path, id, { base, announce, done }) {
  // Not `disabled`, which would take the focus away from keyboard users.
  if (button.ariaDisabled === 'true') return;
  button.ariaDisabled = 'true';
  try {
    const response = await post(base + path, { ids: [id] });
    announce(
      response.ok
        ? `${button.getAttribute('aria-label')}: ${await outcomeOf(response, id)}`
        : await errorTextOf(response),
    );
  } finally {
    button.ariaDisabled = null;
  }
  done();
}

/**
 * Somebody else may have been faster.
 * @param {Response} response
 * @param {string | number} id
 */
async function outcomeOf(response, id) {
  const { ids } = await response.json();
  return ids.includes(id) ? 'done' : 'nothing to do, it was already gone';
}

/**
 * @param {string} pod `namespace/name`
 * @param {PageContext} page
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
  const content = fetchEvents(`${base}/events/${pod.split('/').map(encodeURIComponent).join('/')}`);
  dialog.querySelector('p')?.replaceWith(await content.catch(() => element('p', 'Cannot reach the service')));
  showTimes(dialog);
}

/** @param {string} path */
async function fetchEvents(path) {
  const response = await request(path);
  if (response.ok) return eventsTable(await response.json());
  return element('p', await errorTextOf(response));
}

/** Falls back to the status, as the gate and proxies do not answer in JSON. @param {Response} response @returns {Promise<string>} */
async function errorTextOf(response) {
  const status = `The request failed: ${response.status}`;
  const { error = status } = await response.json().catch(() => ({}));
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
  const node = document.createElement(name);
  node.textContent = text;
  return node;
}

/**
 * @param {HTMLFormElement} form
 * @param {PageContext} page
 */
export async function logIn(form, { base, announce }) {
  const token = new FormData(form).get('token');
  const response = await post(`${base}/login`, { token });
  if (response.ok) location.reload();
  else announce(LOGIN_ERRORS[response.status] ?? `Could not log in: ${response.status}`);
}

/** @param {PageContext} page */
async function logOut({ base, announce }) {
  const response = await post(`${base}/logout`, {});
  if (response.ok) location.reload();
  else announce(`Could not log out: ${response.status}`);
}

/** @type {Readonly<Record<number, string>>} */
const LOGIN_ERRORS = {
  401: 'This token is not valid',
  403: 'This token may not see this, or the cluster cannot be asked whether it may',
};
