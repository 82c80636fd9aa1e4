/** Keeps the server-rendered page fresh: times in the viewer's zone, changes as they happen, buttons. */
import { handleAction, logIn, REQUEST_TIMEOUT_MS } from './actions.js';
import { setServerTime, showTimes } from './times.js';

/**
 * `ShownChange` in changes.ts.
 * @typedef {{
 *   id: number, time: string, action: string, kind: string, key: string, what?: string, diff?: string,
 *   by: readonly { manager: string }[], remarks: readonly string[],
 * }} ShownChange
 */

const MAX_LISTED = 500;
/** Between two fetches of the sections that are refreshed. */
const REFRESH_MS = 3_000;
/** Before a stream is requested again after another answer. */
const RECONNECT_MS = 5_000;
/** The stream sends a sign of life every 15 s. */
const SILENCE_TIMEOUT_MS = 40_000;
/** The server's answer may be this old: fetched sooner, it would lack what has just happened. */
const MIN_REFRESH_DELAY_MS = 1_000;
const base = document.body.dataset['base'] ?? '';
const live = document.querySelector('#live');
const list = document.querySelector('#change-list');
const template = document.querySelector('template');

/** @param {string} text */
function announce(text) {
  if (live !== null) live.textContent = text;
}

/** Sets a text only if it differs: screen readers read it out each time. @param {Element | null} where @param {string} text */
function announceOnce(where, text) {
  if (where !== null && where.textContent !== text) where.textContent = text;
}

/**
 * Sets texts as text: nothing from the cluster is ever parsed as HTML.
 * @param {ShownChange} change
 */
function renderItem(change) {
  const item = template?.content.firstElementChild?.cloneNode(true);
  if (!(item instanceof HTMLElement)) return undefined;
  const slot = (/** @type {string} */ name) => item.querySelector(`[data-slot="${name}"]`);
  const fill = (/** @type {string} */ name, /** @type {string} */ text) => {
    const element = slot(name);
    if (element !== null) element.textContent = text;
  };
  item.dataset['id'] = String(change.id);
  item.classList.add('fresh');
  fill('action', change.action);
  slot('action')?.setAttribute('class', `action ${change.action}`);
  fill('kind', change.kind);
  fill('key', change.key);
  const who = [...new Set(change.by.map(({ manager }) => manager))].join(', ');
  fill('by', who === '' ? '' : `by ${who}`);
  slot('what')?.replaceChildren(...withArrows([change.what ?? '', ...change.remarks].filter(Boolean).join(' · ')));
  const time = item.querySelector('time');
  if (time !== null) {
    time.dateTime = change.time;
    time.title = change.time;
  }
  if (!change.diff) slot('details')?.remove();
  else fill('diff', change.diff);
  showTimes(item);
  return item;
}

/** The same as in `html.ts`. @param {string} text */
function withArrows(text) {
  return text.split('->').flatMap((part, n) => {
    if (n === 0) return [part];
    const arrow = document.createElement('span');
    arrow.className = 'arrow';
    arrow.textContent = '->';
    return [arrow, part];
  });
}

/** @param {string} line */
function renderLine(line) {
  const span = document.createElement('span');
  span.textContent = line;
  if (/^(\+\+\+|---|@)/.test(line)) span.className = 'file';
  else if (line.startsWith('+')) span.className = 'add';
  else if (line.startsWith('-')) span.className = 'del';
  return [span, '\n'];
}

/** @param {Element} item */
const idOf = (item) => Number(item.getAttribute('data-id'));

/**
 * Adds changes, newest first and each once, even if they come late or twice.
 * @param {readonly ShownChange[]} changes
 */
function show(changes) {
  if (list === null) return;
  document.querySelector('#no-changes')?.remove();
  for (const change of changes) {
    const item = renderItem(change);
    const next = [...list.children].find((other) => idOf(other) <= change.id);
    if (item !== undefined && (next === undefined || idOf(next) !== change.id)) list.insertBefore(item, next ?? null);
  }
  if (list.childElementCount <= MAX_LISTED) return;
  while (list.childElementCount > MAX_LISTED) list.lastElementChild?.remove();
  if (list.lastElementChild !== null) updateOlderLink(idOf(list.lastElementChild));
}

/** Lets the link lead to the changes removed from the end of the list. @param {number} oldest */
function updateOlderLink(oldest) {
  const link = document.querySelector('#older');
  if (!(link instanceof HTMLAnchorElement)) return;
  const address = new URL(link.href);
  address.searchParams.set('before', String(oldest));
  link.href = address.href;
  link.hidden = false;
}

/** Each section as sent by the server, before times and the like were filled in. @type {Map<string, Element>} */
const sent = new Map();
for (const section of document.querySelectorAll('[data-live]')) sent.set(section.id, copyOf(section));

/** @param {Element} section */
function copyOf(section) {
  return /** @type {Element} */ (section.cloneNode(true));
}

/** Fetched as a document, because the page's policy forbids turning strings into HTML. */
function fetchFragments() {
  const request = new XMLHttpRequest();
  request.responseType = 'document';
  request.addEventListener('loadend', () => {
    if (request.status === 401) location.reload();
    if (request.status !== 200) clearState();
    setServerTime(request.responseXML?.body.dataset['now']);
    for (const section of request.responseXML?.querySelectorAll('[data-live]') ?? []) replace(section);
  });
  request.open('GET', `${base}/fragments`);
  request.timeout = REQUEST_TIMEOUT_MS;
  request.send();
}

/** Only if it differs, and not while a button in it is pressed: the click would be lost. @param {Element} section */
function replace(section) {
  const old = document.getElementById(section.id);
  const before = sent.get(section.id);
  if (old === null || before?.isEqualNode(section) === true) return;
  if (old.querySelector(':active') !== null) return;
  const focus = old.contains(document.activeElement) ? selectorOf(document.activeElement) : undefined;
  sent.set(section.id, copyOf(section));
  const fresh = document.importNode(section, true);
  for (const open of old.querySelectorAll('details[open]')) {
    const key = CSS.escape(open.getAttribute('data-key') ?? '');
    fresh.querySelector(`details[data-key="${key}"]`)?.setAttribute('open', '');
  }
  showTimes(fresh);
  old.replaceWith(fresh);
  if (focus !== undefined) findControl(fresh, focus)?.focus({ preventScroll: true });
}

/** A selector that finds a button or a details line in the replaced section. @param {Element | null} control */
function selectorOf(control) {
  const holder = control?.closest('button, details');
  const [entry] = holder instanceof HTMLElement ? Object.entries(holder.dataset) : [];
  return entry === undefined ? undefined : `[data-${entry[0]}="${CSS.escape(entry[1] ?? '')}"]`;
}

/** @param {Element} section @param {string} selector @returns {HTMLElement | null | undefined} */
function findControl(section, selector) {
  return section.querySelector(`button${selector}, details${selector} > summary`);
}

/** The service's state is unknown until the next fetch. */
function clearState() {
  const state = document.querySelector('#state');
  if (state === null) return;
  state.textContent = 'unknown';
  state.className = 'state warn';
  sent.delete(state.id);
}

/** By `performance.now()`: the wall clock may be set back meanwhile. */
let refreshAt = 0;
let isScheduled = false;
/** Fetches soon, or once the last fetch is long enough ago. */
function refresh() {
  if (isScheduled) return;
  isScheduled = true;
  setTimeout(
    () => {
      isScheduled = false;
      refreshAt = performance.now() + REFRESH_MS;
      fetchFragments();
    },
    Math.max(MIN_REFRESH_DELAY_MS, refreshAt - performance.now()),
  );
}

/** @type {EventSource | undefined} */
let eventSource;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let silenceTimer;
/** Browsers do not notice a connection that broke silently, such as while the machine slept or behind a proxy. */
function restartSilenceTimer() {
  clearTimeout(silenceTimer);
  silenceTimer = setTimeout(() => {
    announceOnce(live, 'disconnected, reconnecting');
    refresh();
    connect();
  }, SILENCE_TIMEOUT_MS);
}

/** Only while the page is visible: a browser has six connections per host, and the seventh tab would wait forever. */
function connect() {
  eventSource?.close();
  clearTimeout(silenceTimer);
  if (document.hidden) return;
  restartSilenceTimer();
  // A fixed list needs the stream only for the other sections.
  const isStatic = list?.hasAttribute('data-still') === true;
  const filters = new URLSearchParams(isStatic ? '' : location.search);
  const newest = list?.querySelector('[data-id]')?.getAttribute('data-id');
  // An empty list must also get what has come since it was rendered.
  if (!isStatic) filters.set('after', newest ?? '0');
  const source = (eventSource = new EventSource(`${base}/api/changes?${filters.toString()}`));
  source.addEventListener('open', () => {
    // The page was rendered before there was anything to show, even the cluster's name.
    if (list?.hasAttribute('data-waiting') === true) location.reload();
    else announce('live');
  });
  source.addEventListener('error', () => {
    announceOnce(live, 'disconnected, reconnecting');
    refresh();
    // Browsers give up for good if the answer is not a stream: a proxy's 503 during a restart, or 401 after the session's end.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => source === eventSource && connect(), RECONNECT_MS);
  });
  source.addEventListener('alive', () => {
    restartSilenceTimer();
    refresh();
  });
  source.addEventListener('anew', () => location.reload());
  source.addEventListener('changes', (event) => {
    refresh();
    if (isStatic) return;
    const { changes, truncated } = JSON.parse(event.data);
    show(changes);
    if (truncated) announceOnce(document.querySelector('#more'), 'too many at once to show: reload to see all');
  });
}

document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest('button') : null;
  if (button === null) return;
  handleAction(button, { base, announce, done: refresh }).catch(() => announce('Cannot reach the service'));
});

document.addEventListener('submit', (event) => {
  if (!(event.target instanceof HTMLFormElement) || event.target.id !== 'login') return;
  event.preventDefault();
  logIn(event.target, { base, announce }).catch(() => announce('Cannot reach the service'));
});

/** Colours a diff when it is opened. Few of hundreds are, with thousands of lines each: the others stay a single text. */
document.addEventListener(
  'toggle',
  ({ target }) => {
    const diff = target instanceof Element ? target.querySelector(':scope > [data-slot="diff"]') : null;
    if (diff?.childElementCount === 0) diff.replaceChildren(...diff.textContent.split('\n').flatMap(renderLine));
  },
  true,
);

document.querySelector('#zone')?.replaceChildren('your zone');
const [load] = performance.getEntriesByType('navigation');
const responseStart = load instanceof PerformanceNavigationTiming ? load.responseStart : 0;
// The top of the page came first, and this script waits for its end.
setServerTime(document.body.dataset['now'], Date.now() - performance.now() + responseStart);
showTimes(document);
setInterval(() => showTimes(document), 10_000);
if (list !== null) {
  connect();
  document.addEventListener('visibilitychange', connect);
}
