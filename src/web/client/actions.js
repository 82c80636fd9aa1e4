/** What the buttons of the page do. */

/** What the server wants of a request that changes something. */
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
export async function act(button, { base, say, done }) {
  const { replay, discard } = button.dataset;
  const id = replay ?? discard;
  if (id === undefined) return;
  const verb = replay === undefined ? 'discard' : 'replay';
  if (verb === 'discard' && !confirm(`Discard dead letter ${id}? It cannot be taken back.`)) return;
  button.disabled = true;
  const answer = await post(`${base}/api/dead-letters/${verb}`, { ids: [Number(id)] });
  button.disabled = false;
  if (!answer.ok) return say(`Could not ${verb} ${id}: ${answer.status}`);
  button.closest('tr')?.remove();
  say(verb === 'replay' ? `Dead letter ${id} goes through its chain again` : `Dead letter ${id} is gone`);
  done();
}

/**
 * @param {HTMLFormElement} form
 * @param {Surroundings} surroundings
 */
export async function logIn(form, { base, say }) {
  const token = new FormData(form).get('token');
  const answer = await post(`${base}/login`, { token });
  if (answer.ok) location.reload();
  else say(answer.status === 401 ? 'Nobody has this token' : `Could not log in: ${answer.status}`);
}
