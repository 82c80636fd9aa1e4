/** What is stored already, under new redaction rules. */
import { apiVersionOf } from '../change.ts';
import type { Logger } from '../log.ts';
import type { RecordedKind, Store } from '../store/store.ts';
import type { Discovery } from './discovery.ts';
import type { Redact, Redactor } from './redact.ts';

export interface RedactStoredOptions {
  readonly store: Pick<Store, 'kinds' | 'manifests' | 'replaceManifests' | 'compact' | 'getFact' | 'setFact'>;
  readonly redactor: Redactor;
  /** Rules may name a kind by its short name, which only the cluster knows. */
  readonly discovery: Pick<Discovery, 'resolve'>;
  readonly log: Logger;
}

/** Manifests in memory at once: 100 of the largest are 150 MB. */
const PAGE = 100;
/** The fact that says by which rules the store was redacted last. */
const FACT = 'redaction';

/**
 * Redacts what baselines, history and dead letters hold, when the rules are other than the last time. Digests are of what the
 * server sent, so that they stay; no change is appended. May be cut off and run again: redacting twice changes nothing.
 */
export async function redactStored({ store, redactor, discovery, log }: RedactStoredOptions): Promise<void> {
  if ((await store.getFact(FACT)) === redactor.fingerprint) return;
  const byKind = new Map<string, Redact>();
  let isSure = true;
  for (const kind of await store.kinds()) {
    const { resource, isKnown } = await asServed(kind, discovery);
    byKind.set(JSON.stringify(kind), redactor.forKind(resource));
    isSure &&= isKnown;
  }
  let hidden = 0;
  for (let after = 0; ;) {
    const rows = await store.manifests(after, PAGE);
    const changed = rows.flatMap(({ id, kind, body }) => {
      const old = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
      const redacted = byKind.get(JSON.stringify(kind))?.(old) ?? old;
      return redacted === old ? [] : [{ id, body: redacted }];
    });
    if (changed.length > 0) await store.replaceManifests(changed);
    hidden += changed.length;
    after = rows.at(-1)?.id ?? after;
    if (rows.length < PAGE) break;
  }
  if (hidden > 0) {
    await store.compact();
    log.info('The redaction rules have changed: what is stored was redacted anew', { manifests: hidden });
  }
  // Where a kind could not be looked up, a rule may name it by a short name: asked again at the next start.
  if (isSure) await store.setFact(FACT, redactor.fingerprint);
}

/** With its short names; a kind that is gone has the names that its objects said. */
async function asServed(kind: RecordedKind, discovery: RedactStoredOptions['discovery']) {
  const answer = await discovery.resolve(kind.resource, apiVersionOf(kind));
  if (answer.kind === 'found') return { resource: answer.resource, isKnown: true };
  const resource = { ...kind, singular: kind.kind.toLowerCase(), shortNames: [] };
  return { resource, isKnown: answer.kind !== 'unsure' };
}
