/** The accept transaction: observations become the baseline, and their differences from it become changes and deliveries. */
import type { Action, Actor } from '../change.ts';
import { parseJson } from '../parse-json.ts';
import { attribute, knownOf, type AttributionContext, type Versions } from './attribution.ts';
import type { Json } from '../json.ts';
import type { Baseline, BaselineRow, Scope } from './baseline.ts';
import type { Bodies } from './bodies.ts';
import type { Deliveries } from './deliveries.ts';
import type { Facts } from './facts.ts';
import {
  changeBits,
  GONE,
  SILENT,
  unpackObservations,
  type Observed,
  type PackedObservations,
} from './observations.ts';
import { bitsOf, queueOf, type Changes } from './records.ts';
import type { AcceptBatch, Accepted } from './scope.ts';
import type { Staging } from './staging.ts';

export type PackedBatch = Omit<AcceptBatch, 'observations'> & { readonly observations: PackedObservations };

/** Roughly what a change adds to the history besides its manifests: its row, its deliveries and their index entries. */
const ROW_BYTES = 400;
const FINAL_STATE_UNKNOWN = bitsOf({ finalStateUnknown: true });

export interface AcceptorParts {
  readonly baseline: Baseline;
  readonly bodies: Bodies;
  readonly changes: Changes;
  readonly deliveries: Deliveries;
  readonly facts: Facts;
  readonly staging: Staging;
}

export class Acceptor {
  readonly #baseline: Baseline;
  readonly #bodies: Bodies;
  readonly #changes: Changes;
  readonly #deliveries: Deliveries;
  readonly #facts: Facts;
  readonly #staging: Staging;

  constructor(parts: AcceptorParts) {
    this.#baseline = parts.baseline;
    this.#bodies = parts.bodies;
    this.#changes = parts.changes;
    this.#deliveries = parts.deliveries;
    this.#facts = parts.facts;
    this.#staging = parts.staging;
  }

  accept(batch: PackedBatch, now: number): Accepted {
    const acceptance: Acceptance = { scope: this.#baseline.scope(batch.scope), now, changes: 0, size: 0 };
    if (batch.staged === true) {
      for (const observed of this.#staging.read(batch.scope)) this.#observe(acceptance, observed);
      this.#staging.clear(batch.scope);
    }
    for (const observed of unpackObservations(batch.observations)) {
      this.#observe(acceptance, observed);
    }
    this.#baseline.setCursor(batch.scope, batch.cursor, batch.basis);
    this.#facts.add('store.history-bytes', acceptance.size);
    const { scope, changes } = acceptance;
    if (changes === 0) return { changes, chains: [] };
    this.#deliveries.count(scope.chains, changes);
    return { changes, chains: scope.chains };
  }

  #observe(acceptance: Acceptance, observed: Observed): void {
    const old = this.#baseline.get(acceptance.scope.id, observed.key);
    if ((observed.bits & GONE) !== 0) this.#gone(acceptance, observed, old);
    else if ((observed.bits & SILENT) === 0 && old !== undefined && isUnchanged(old, observed))
      this.#bodies.release(observed.bodyId ?? null);
    else this.#seen(acceptance, observed, old);
  }

  /** Ignores the end of an object other than the baseline's: an older one of the same name, whose end is already known. */
  #gone(acceptance: Acceptance, observed: Observed, old: BaselineRow | undefined): void {
    if (old === undefined || (observed.uid !== '' && observed.uid !== old.uid)) return;
    this.#baseline.remove(acceptance.scope.id, observed.key);
    if ((observed.bits & SILENT) !== 0) this.#bodies.release(old.body);
    else this.#deleted(acceptance, observed, old);
  }

  #seen(acceptance: Acceptance, observed: Observed, old: BaselineRow | undefined): void {
    const { scope, now } = acceptance;
    const silent = (observed.bits & SILENT) !== 0;
    const body = this.#bodyOf(scope, observed, silent ? 1 : 2);
    const sameObject = old?.uid === observed.uid;
    const versions: Versions | undefined = sameObject
      ? () => [this.#manifest(old.body), this.#manifest(body)]
      : undefined;
    const previous = sameObject ? (old.known ?? undefined) : undefined;
    const { known, by } = attributionOf(observed, { known: previous, now, except: scope.except, versions });
    const { uid, resourceVersion: rv, digest } = observed;
    this.#baseline.put(scope.id, observed.key, { uid, rv, digest, body, known });
    if (silent) {
      if (old !== undefined) this.#bodies.release(old.body);
      return;
    }
    // The end of the old object was not observed, but it must be gone, as it has a successor.
    if (old !== undefined && !sameObject) this.#deleted(acceptance, observed, old, FINAL_STATE_UNKNOWN);
    // The use of the old body passes from the baseline to `before`, so its count stays.
    const before = sameObject ? old.body : null;
    this.#append(acceptance, observed, {
      action: sameObject ? 'updated' : 'added',
      uid,
      rv,
      before,
      after: body,
      actors: by,
    });
  }

  #manifest(body: number): Json {
    return parseJson(this.#bodies.get(body));
  }

  /** Stores the body if needed. @param uses 1 for the baseline, 2 for the baseline and a change */
  #bodyOf({ kind }: Scope, { bodyId, body }: Observed, uses: 1 | 2): number {
    if (bodyId === undefined) return this.#bodies.add(kind, body, uses);
    if (uses === 2) this.#bodies.use(bodyId);
    return bodyId;
  }

  /** The use of the body passes from the baseline to the change. */
  #deleted(acceptance: Acceptance, observed: Observed, { uid, rv, body }: BaselineRow, extraFlags = 0): void {
    const deleted = { action: 'deleted', uid, rv, before: body, after: null, actors: [], extraFlags } as const;
    this.#append(acceptance, observed, deleted);
  }

  #append(acceptance: Acceptance, observed: Observed, difference: Difference): void {
    const { kind, group, resource, chains } = acceptance.scope;
    // A body that only the baseline used now belongs to the history. Any other was counted with an earlier change.
    const before = difference.before === null ? 0 : this.#bodies.sizeIfUnshared(difference.before);
    const size = ROW_BYTES + before + (difference.after === null ? 0 : observed.size);
    const change = this.#changes.append({
      action: difference.action,
      kind,
      key: observed.key,
      uid: difference.uid,
      resourceVersion: difference.rv,
      before: difference.before,
      after: difference.after,
      actors: JSON.stringify(difference.actors),
      observedAt: acceptance.now,
      flags: changeBits(observed.bits) | (difference.extraFlags ?? 0),
      size,
    });
    const queue = queueOf(group, resource, observed.key);
    for (const chain of chains) this.#deliveries.open(chain, change, queue);
    acceptance.changes++;
    acceptance.size += size;
  }
}

/** The running totals of one call. */
interface Acceptance {
  readonly scope: Scope;
  readonly now: number;
  changes: number;
  size: number;
}

interface Difference {
  readonly action: Action;
  readonly uid: string;
  readonly rv: string;
  readonly before: number | null;
  readonly after: number | null;
  readonly actors: readonly Actor[];
  /** In addition to those of the observation; see {@link bitsOf}. */
  readonly extraFlags?: number;
}

function isUnchanged(old: BaselineRow, { uid, resourceVersion, digest }: Observed): boolean {
  return old.uid === uid && (old.rv === resourceVersion || old.digest === digest);
}

function attributionOf({ bits, managedFields }: Observed, context: AttributionContext) {
  if (managedFields === undefined) return { known: null, by: [] };
  return (bits & SILENT) === 0 ? attribute(managedFields, context) : { known: knownOf(managedFields), by: [] };
}
