/** Keeps the page fresh: times in the viewer's zone, changes as they happen, buttons. Works on what the server has rendered. */

/**
 * As `ShownChange` of changes.ts has it.
 * @typedef {{
 *   id: number, time: string, action: string, kind: string, key: string, what?: string, diff?: string,
 *   by: readonly { manager: string }[], remarks: readonly string[],
 * }} ShownChange
 */

const MAX_LISTED = 500;
/** What the server wants of a request that changes something. */
const JSON_WRITE = { 'content-type': 'application/json', 'x-watchchain': 'page' };
const base = document.body.dataset['base'] ?? '';
const live = document.querySelector('#live');
const list = document.querySelector('#change-list');
const template = document.querySelector('template');

const today = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const earlier = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** @param {ParentNode} within */
function localTimes(within) {
  for (const time of within.querySelectorAll('time')) {
    const at = new Date(time.dateTime);
    const isToday = at.toDateString() === new Date().toDateString();
    if (!Number.isNaN(at.getTime())) time.textContent = (isToday ? today : earlier).format(at);
  }
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
  fill('object', `${change.kind} ${change.key}`);
  const who = [...new Set(change.by.map(({ manager }) => manager))].join(', ');
  fill('by', who === '' ? '' : `by ${who}`);
  fill('what', [change.what ?? '', ...change.remarks].filter(Boolean).join(' · '));
  const time = item.querySelector('time');
  if (time !== null) {
    time.dateTime = change.time;
    time.title = change.time;
  }
  if (!change.diff) slot('details')?.remove();
  else slot('diff')?.replaceChildren(...change.diff.split('\n').flatMap(lineOf));
  localTimes(item);
  return item;
}

/** @param {string} line */
function lineOf(line) {
  const span = document.createElement('span');
  span.textContent = line;
  if (line.startsWith('+')) span.className = 'add';
  if (line.startsWith('-')) span.className = 'del';
  return [span, '\n'];
}

/** @param {readonly ShownChange[]} changes */
function show(changes) {
  if (list === null) return;
  list.querySelector('.empty')?.remove();
  for (const change of changes) {
    const item = itemOf(change);
    if (item !== undefined && list.querySelector(`[data-id="${change.id}"]`) === null) list.prepend(item);
  }
  while (list.childElementCount > MAX_LISTED) list.lastElementChild?.remove();
}

function follow() {
  const filters = new URLSearchParams(location.search);
  // A page of older changes stays what it is.
  if (filters.has('before')) return;
  const newest = list?.querySelector('[data-id]')?.getAttribute('data-id');
  if (typeof newest === 'string') filters.set('after', newest);
  const source = new EventSource(`${base}/api/changes?${filters.toString()}`);
  source.addEventListener('open', () => say('live'));
  source.addEventListener('error', () => say('not connected, trying again'));
  source.addEventListener('changes', (event) => {
    const { changes, skipped } = JSON.parse(event.data);
    show(changes);
    const more = document.querySelector('#more');
    if (more !== null && skipped > 0) more.textContent = `and ${skipped} more at once: reload to see them`;
  });
}

/** @param {string} text */
function say(text) {
  if (live !== null) live.textContent = text;
}

/** @param {HTMLButtonElement} button */
async function act(button) {
  const { replay, discard } = button.dataset;
  const [verb, id] = replay === undefined ? ['discard', discard] : ['replay', replay];
  if (id === undefined || (verb === 'discard' && !confirm(`Discard dead letter ${id}? It cannot be taken back.`)))
    return;
  button.disabled = true;
  const answer = await fetch(`${base}/api/dead-letters/${verb}`, {
    method: 'POST',
    headers: JSON_WRITE,
    body: JSON.stringify({ ids: [Number(id)] }),
  });
  if (answer.ok) button.closest('tr')?.remove();
  else say(`Could not ${verb} ${id}: ${answer.status}`);
  button.disabled = false;
}

document.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest('button') : null;
  if (button?.dataset['replay'] !== undefined || button?.dataset['discard'] !== undefined) {
    act(button).catch(() => say('The service cannot be reached'));
  }
});

/** @param {HTMLFormElement} form */
async function logIn(form) {
  const token = new FormData(form).get('token');
  await fetch(`${base}/login`, { method: 'POST', headers: JSON_WRITE, body: JSON.stringify({ token }) });
  location.reload();
}

document.addEventListener('submit', (event) => {
  if (!(event.target instanceof HTMLFormElement) || event.target.id !== 'login') return;
  event.preventDefault();
  logIn(event.target).catch(() => say('The service cannot be reached'));
});
localTimes(document);
if (list !== null) follow();
