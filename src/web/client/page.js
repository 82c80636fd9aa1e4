/** Keeps the page fresh: times in the viewer's zone, changes as they happen, buttons. Works on what the server has rendered. */
import { act, logIn } from './actions.js';
import { showTimes } from './times.js';

/**
 * As `ShownChange` of changes.ts has it.
 * @typedef {{
 *   id: number, time: string, action: string, kind: string, key: string, what?: string, diff?: string,
 *   by: readonly { manager: string }[], remarks: readonly string[],
 * }} ShownChange
 */

const MAX_LISTED = 500;
/** Between two looks at the sections that are fetched again. */
const FRESHEN_MS = 3_000;
/** Before a stream is asked for again that was answered with something else. */
const AGAIN_MS = 5_000;
/** The stream says every 15 s that it is alive. */
const SILENT_MS = 40_000;
/** For an answer: of six connections for one host, none is held by a path that leads nowhere. */
const PATIENCE_MS = 20_000;
/** What the server answers may be so old: asked for sooner, it would be without what has just happened. */
const SETTLED_MS = 1_000;
const base = document.body.dataset['base'] ?? '';
const live = document.querySelector('#live');
const list = document.querySelector('#change-list');
const template = document.querySelector('template');

/** @param {string} text */
function say(text) {
  if (live !== null) live.textContent = text;
}

/** What is said again and again: a screen reader reads out each text that is put in, the same one too. @param {Element | null} where @param {string} text */
function sayOnce(where, text) {
  if (where !== null && where.textContent !== text) where.textContent = text;
}

/**
 * Texts go in as text: nothing of the cluster is ever read as HTML.
 * @param {ShownChange} change
 */
function itemOf(change) {
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
  fill('what', [change.what ?? '', ...change.remarks].filter(Boolean).join(' · '));
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

/** @param {string} line */
function lineOf(line) {
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
 * Newest first, each once, whatever comes late or twice.
 * @param {readonly ShownChange[]} changes
 */
function show(changes) {
  if (list === null) return;
  document.querySelector('#no-changes')?.remove();
  for (const change of changes) {
    const item = itemOf(change);
    const next = [...list.children].find((other) => idOf(other) <= change.id);
    if (item !== undefined && (next === undefined || idOf(next) !== change.id)) list.insertBefore(item, next ?? null);
  }
  if (list.childElementCount <= MAX_LISTED) return;
  while (list.childElementCount > MAX_LISTED) list.lastElementChild?.remove();
  if (list.lastElementChild !== null) linkOlder(idOf(list.lastElementChild));
}

/** What has left the list at its end is behind the link. @param {number} oldest */
function linkOlder(oldest) {
  const link = document.querySelector('#older');
  if (!(link instanceof HTMLAnchorElement)) return;
  const address = new URL(link.href);
  address.searchParams.set('before', String(oldest));
  link.href = address.href;
  link.hidden = false;
}

/** What the server sent of each section, before times and the like were put into it. @type {Map<string, Element>} */
const sent = new Map();
for (const section of document.querySelectorAll('[data-live]')) sent.set(section.id, copyOf(section));

/** @param {Element} section */
function copyOf(section) {
  return /** @type {Element} */ (section.cloneNode(true));
}

/** As a document, which is no string that becomes HTML: the browser forbids that here. */
function fetchFragments() {
  const request = new XMLHttpRequest();
  request.responseType = 'document';
  request.addEventListener('loadend', () => {
    if (request.status === 401) location.reload();
    if (request.status !== 200) forgetState();
    for (const section of request.responseXML?.querySelectorAll('[data-live]') ?? []) replace(section);
  });
  request.open('GET', `${base}/fragments`);
  request.timeout = PATIENCE_MS;
  request.send();
}

/** Only what differs, and not while a button of it is pressed: the click would be lost. @param {Element} section */
function replace(section) {
  const old = document.getElementById(section.id);
  const before = sent.get(section.id);
  if (old === null || before?.isEqualNode(section) === true) return;
  if (old.querySelector(':active') !== null) return;
  const focus = old.contains(document.activeElement) ? placeOf(document.activeElement) : undefined;
  sent.set(section.id, copyOf(section));
  const fresh = document.importNode(section, true);
  for (const open of old.querySelectorAll('details[open]')) {
    const key = CSS.escape(open.getAttribute('data-key') ?? '');
    fresh.querySelector(`details[data-key="${key}"]`)?.setAttribute('open', '');
  }
  showTimes(fresh);
  old.replaceWith(fresh);
  if (focus !== undefined) controlAt(fresh, focus)?.focus({ preventScroll: true });
}

/** Where a button or a line to open is found in what comes in its place. @param {Element | null} control */
function placeOf(control) {
  const holder = control?.closest('button, details');
  const [entry] = holder instanceof HTMLElement ? Object.entries(holder.dataset) : [];
  return entry === undefined ? undefined : `[data-${entry[0]}="${CSS.escape(entry[1] ?? '')}"]`;
}

/** @param {Element} section @param {string} place @returns {HTMLElement | null | undefined} */
function controlAt(section, place) {
  return section.querySelector(`button${place}, details${place} > summary`);
}

/** What it was is no longer known; what is fetched next says it again. */
function forgetState() {
  const state = document.querySelector('#state');
  if (state === null) return;
  state.textContent = 'unknown';
  state.className = 'state warn';
  sent.delete(state.id);
}

/** By `performance.now()`: the wall clock may be set back meanwhile. */
let freshenAt = 0;
let isPlanned = false;
/** Soon, or as soon as the last time is long enough ago. */
function freshen() {
  if (isPlanned) return;
  isPlanned = true;
  setTimeout(
    () => {
      isPlanned = false;
      freshenAt = performance.now() + FRESHEN_MS;
      fetchFragments();
    },
    Math.max(SETTLED_MS, freshenAt - performance.now()),
  );
}

/** @type {EventSource | undefined} */
let followed;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let silence;
/** No browser notices a connection that has broken off in silence, as while the machine slept or behind a proxy. */
function hear() {
  clearTimeout(silence);
  silence = setTimeout(() => {
    sayOnce(live, 'not connected, trying again');
    freshen();
    follow();
  }, SILENT_MS);
}

/** Only while somebody looks: a browser has six connections for one host, and the seventh tab would wait for one for ever. */
function follow() {
  followed?.close();
  clearTimeout(silence);
  if (document.hidden) return;
  hear();
  // A list that stays what it is needs the stream for the other sections only.
  const isStill = list?.hasAttribute('data-still') === true;
  const filters = new URLSearchParams(isStill ? '' : location.search);
  const newest = list?.querySelector('[data-id]')?.getAttribute('data-id');
  // An empty list is to get what has come since it was made, too.
  if (!isStill) filters.set('after', newest ?? '0');
  const source = (followed = new EventSource(`${base}/api/changes?${filters.toString()}`));
  source.addEventListener('open', () => {
    // It was made before there was anything to show, its name included.
    if (list?.hasAttribute('data-waiting') === true) location.reload();
    else say('live');
  });
  source.addEventListener('error', () => {
    sayOnce(live, 'not connected, trying again');
    freshen();
    // The browser gives up for good where the answer is no stream: a proxy's 503 during a restart, or 401 when the session is over.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => source === followed && follow(), AGAIN_MS);
  });
  source.addEventListener('alive', () => {
    hear();
    freshen();
  });
  source.addEventListener('anew', () => location.reload());
  source.addEventListener('changes', (event) => {
    freshen();
    if (isStill) return;
    const { changes, truncated } = JSON.parse(event.data);
    show(changes);
    if (truncated) sayOnce(document.querySelector('#more'), 'more at once than is shown: reload to see all');
  });
}

document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest('button') : null;
  if (button === null) return;
  act(button, { base, say, done: freshen }).catch(() => say('The service cannot be reached'));
});

document.addEventListener('submit', (event) => {
  if (!(event.target instanceof HTMLFormElement) || event.target.id !== 'login') return;
  event.preventDefault();
  logIn(event.target, { base, say }).catch(() => say('The service cannot be reached'));
});

/** Of hundreds of diffs with thousands of lines each, few are opened: the others wait as one text each. */
document.addEventListener(
  'toggle',
  ({ target }) => {
    const diff = target instanceof Element ? target.querySelector(':scope > [data-slot="diff"]') : null;
    if (diff?.childElementCount === 0) diff.replaceChildren(...diff.textContent.split('\n').flatMap(lineOf));
  },
  true,
);

document.querySelector('#zone')?.replaceChildren('your zone');
showTimes(document);
setInterval(() => showTimes(document), 10_000);
if (list !== null) {
  follow();
  document.addEventListener('visibilitychange', follow);
}
