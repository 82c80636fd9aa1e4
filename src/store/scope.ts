/** Scopes, and what the source tells the store of the objects in them. */
import type { ChangeFlags } from '../change.ts';
import type { Interest } from '../interest.ts';

/** What one list and watch covers; the unit of baseline, cursor and silent first list. Not the API version: see {@link ScopeSpec}. */
export interface ScopeKey {
  readonly group: string;
  /** The plural in the URL. */
  readonly resource: string;
  /** `""`: all namespaces, or a cluster-scoped resource; `shop`: one; `qa-*,team-*`: those that any pattern matches. */
  readonly namespace: string;
  readonly labelSelector: string;
  readonly fieldSelector: string;
}

export interface ScopeSpec extends ScopeKey {
  readonly version: string;
  readonly kind: string;
  /** Each change of this scope becomes one delivery per chain. */
  readonly chains: readonly string[];
}

/** How the bodies and digests of a scope's baseline were made. If that has changed, the baseline is rebuilt silently. */
export interface Basis {
  /** Absent in the data of earlier versions. */
  readonly kind?: string;
  readonly version: string;
  readonly interest: Interest;
  /** Fingerprint of the redaction key: digests made with another key cannot be compared. */
  readonly redaction: string;
}

export interface ScopeState {
  readonly id: number;
  /** Where the watch resumes; undefined until the first list was complete. */
  readonly cursor: string | undefined;
  /** Undefined until the first list was complete. */
  readonly basis: Basis | undefined;
  readonly objects: number;
}

/** What the source keeps in memory of each object, to recognise noise without asking the store. */
export interface Seen {
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly digest: number;
}

/** What a list or a watch showed of one object. */
export interface Observation {
  /** `gone`: deleted, or no longer selected. */
  readonly type: 'seen' | 'gone';
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Keyed digest of what the chains read of the object, as the server sent it: a non-negative safe integer. Ignored for `gone`. */
  readonly digest: number;
  /** The redacted manifest as UTF-8 JSON without managedFields; empty for `gone` (the baseline's body is what a deletion carries). */
  readonly body: Uint8Array;
  /** The cut `metadata.managedFields` array as UTF-8 JSON, read for `Change.by` only when a change is accepted. */
  readonly managedFields?: Uint8Array | undefined;
  /** Write or prune the baseline, and append no change: a first list, a new basis, an Event that expired. */
  readonly silent?: true;
  readonly flags?: ChangeFlags;
}

export interface AcceptBatch {
  /** {@link ScopeState.id}. */
  readonly scope: number;
  /** In the order of the cluster. */
  readonly observations: readonly Observation[];
  /** The resourceVersion to resume from once this batch is durable; undefined leaves the cursor unchanged. */
  readonly cursor?: string;
  /** Accept what was staged (see {@link Store.stage}) before `observations`: the end of a list. */
  readonly staged?: true;
  /** Set at the end of a list: the new basis of the scope. */
  readonly basis?: Basis;
}

export interface Accepted {
  /** Changes appended. */
  readonly changes: number;
  /** The chains of the scope, each with `changes` new deliveries; empty if there are no changes. */
  readonly chains: readonly string[];
}
