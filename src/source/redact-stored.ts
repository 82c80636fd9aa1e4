/** Applies new redaction rules to what is already stored. */
import { apiVersionOf } from '../change.ts';
import { redactEdits } from '../change/edits.ts';
import type { Logger } from '../log.ts';
import { isObject } from '../json.ts';
import { parseJson } from '../parse-json.ts';
import type { Store } from '../store/store.ts';
import type { RecordedKind, StoredState } from '../store/stored.ts';
import { parseName, type Discovery } from './discovery.ts';
import type { Redact, Redactor } from './redact.ts';

export interface RedactStoredOptions {
  readonly store: Pick<
    Store,
    | 'kinds'
    | 'manifests'
    | 'replaceManifests'
    | 'edits'
    | 'replaceEdits'
    | 'states'
    | 'replaceStates'
    | 'compact'
    | 'getFact'
    | 'setFact'
  >;
  readonly redactor: Redactor;
  /** Rules may name a kind by its short name, which only the cluster knows. */
  readonly discovery: Pick<Discovery, 'resolve'>;
  readonly log: Logger;
}

/** Manifests in memory at once: 100 of the largest take 150 MB. */
const PAGE = 100;
/** Edits in memory at once: each comes with three manifests and may hold two more. */
const EDITS_PAGE = 20;
/** The store's fact that records the rules it was last redacted by. */
const FACT = 'redaction';
/** Its value while redaction is under way: an interrupted run may leave old bytes in the file, though nothing shows them. */
const BEGUN = 'begun';
/** Its value after a run in which some kinds could not be looked up. */
const UNSURE = 'unsure';

const ANOTHER_KEY =
  'redaction.key is not the key that the store was created with: redacted values of objects that changed while nothing was watching show as changed, once; to keep the old key, stop the service and put it back';

/**
 * If the rules have changed, redacts baselines, history, dead letters, deliveries waiting in branches, and handlers' states.
 * Digests cover what the server sent, so they stay valid; no change is appended. May be interrupted and run again: redacting
 * twice changes nothing.
 */
export async function redactStored({ store, redactor, discovery, log }: RedactStoredOptions): Promise<void> {
  const last = await store.getFact(FACT);
  if (last === redactor.fingerprint) return;
  if (hasOtherKey(last, redactor)) log.warn(ANOTHER_KEY);
  await store.setFact(FACT, BEGUN);
  const byKind = new Map<string, Redact>();
  const byName = new Map<string, Redact>();
  let isComplete = true;
  for (const kind of await store.kinds()) {
    const { resource, isKnown } = await resolveKind(kind, discovery);
    const redact = redactor.forKind(resource);
    byKind.set(JSON.stringify(kind), redact);
    byName.set(nameOf(kind), redact);
    isComplete &&= isKnown;
  }
  const redactOf = (kind: RecordedKind): Redact => byKind.get(JSON.stringify(kind)) ?? ((body) => body);
  // Edits first: only manifests not yet redacted show whether a note repeats something that is hidden now.
  const edits = await redactStoredEdits(store, redactOf);
  const manifests = await redactManifests(store, redactOf);
  const states = await redactStates(store, (text) =>
    redactState(text, (kind) => byName.get(nameOf(kind)) ?? redactor.forKind(kind)),
  );
  const hidden = manifests + edits + states;
  if (hidden > 0 || last === BEGUN) await store.compact();
  if (hidden > 0) {
    log.info('The redaction rules have changed: the stored data was redacted again', { manifests, edits, states });
  }
  // If a kind could not be looked up, a rule may use its short name, so the next start tries again.
  await store.setFact(FACT, isComplete ? redactor.fingerprint : UNSURE);
}

/** Whether the key has changed. Existing masks stay then, as their plain text is gone. */
function hasOtherKey(last: string | undefined, { keyFingerprint }: Redactor): boolean {
  return last !== undefined && last !== BEGUN && last !== UNSURE && !last.startsWith(`${keyFingerprint}.`);
}

type RedactOf = (kind: RecordedKind) => Redact;

/** Returns how many had something to hide, as does {@link redactStoredEdits}. */
async function redactManifests(store: RedactStoredOptions['store'], redactOf: RedactOf): Promise<number> {
  let hidden = 0;
  for (let after = 0; ;) {
    const rows = await store.manifests(after, PAGE);
    const changed = rows.flatMap(({ id, kind, body }) => {
      const old = asBuffer(body);
      const redacted = redactOf(kind)(old);
      return redacted === old ? [] : [{ id, body: redacted }];
    });
    if (changed.length > 0) await store.replaceManifests(changed);
    hidden += changed.length;
    after = rows.at(-1)?.id ?? after;
    if (rows.length < PAGE) return hidden;
  }
}

async function redactStoredEdits(store: RedactStoredOptions['store'], redactOf: RedactOf): Promise<number> {
  let hidden = 0;
  for (let after = 0; ;) {
    const rows = await store.edits(after, EDITS_PAGE);
    const changed = rows.flatMap(({ id, kind, text: old, manifests }) => {
      const text = redactEdits(old, manifests.map(asBuffer), redactOf(kind));
      return text === old ? [] : [{ id, text }];
    });
    if (changed.length > 0) await store.replaceEdits(changed);
    hidden += changed.length;
    after = rows.at(-1)?.id ?? after;
    if (rows.length < EDITS_PAGE) return hidden;
  }
}

/** Repeats until nothing is left to hide: a running chain may have replaced a state after it was read. */
async function redactStates(store: RedactStoredOptions['store'], redact: (text: string) => string): Promise<number> {
  for (let hidden = 0; ;) {
    const before = hidden;
    for (let after: StoredState | undefined; ;) {
      const rows = await store.states(after, PAGE);
      const changed = rows.map((row) => ({ ...row, by: redact(row.text) })).filter(({ text, by }) => text !== by);
      if (changed.length > 0) await store.replaceStates(changed);
      hidden += changed.length;
      after = rows.at(-1);
      if (rows.length < PAGE) break;
    }
    if (hidden === before) return hidden;
  }
}

/** Redacts manifests, and parts of them with kind and apiVersion, anywhere in the state. The same text if nothing is hidden. */
function redactState(state: string, redactOf: (kind: Parameters<Redactor['forKind']>[0]) => Redact): string {
  let isHidden = false;
  const redacted: unknown = JSON.parse(state, (_, value: unknown) => {
    if (!isObject(value) || !isObject(value['metadata'])) return value;
    const { apiVersion, kind } = value;
    if (typeof apiVersion !== 'string' || typeof kind !== 'string') return value;
    const { group } = parseName(kind, apiVersion);
    const body = Buffer.from(JSON.stringify(value));
    const safe = redactOf({ group: group ?? '', kind, resource: '', singular: kind.toLowerCase(), shortNames: [] })(
      body,
    );
    isHidden ||= safe !== body;
    return safe === body ? value : parseJson(safe);
  });
  return isHidden ? JSON.stringify(redacted) : state;
}

function nameOf({ group, kind }: Pick<RecordedKind, 'group' | 'kind'>): string {
  return `${kind}.${group}`;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The kind with its short names; for one that is gone, the names found in its objects. */
async function resolveKind(kind: RecordedKind, discovery: RedactStoredOptions['discovery']) {
  const answer = await discovery.resolve(kind.resource, apiVersionOf(kind));
  if (answer.kind === 'found') return { resource: answer.resource, isKnown: true };
  const resource = { ...kind, singular: kind.kind.toLowerCase(), shortNames: [] };
  return { resource, isKnown: answer.kind !== 'unsure' };
}
