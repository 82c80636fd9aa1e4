/** What is read from the store in pages, such as to look up or redact it. */
import type { Gvk } from '../change.ts';

/** A recorded kind under one version of its API. */
export interface RecordedKind extends Gvk {
  /** The plural in the URL. */
  readonly resource: string;
}

/** A manifest to which baselines or changes refer. */
export interface StoredManifest {
  readonly id: number;
  readonly kind: RecordedKind;
  /** UTF-8 JSON. */
  readonly body: Uint8Array;
}

/** The bytes that replace a manifest's. */
export type NewBody = Pick<StoredManifest, 'id' | 'body'>;

/** Handlers' edits of a change, kept for branches (see `editsOf`), and the manifests they were made from. */
export interface StoredEdits {
  readonly id: number;
  readonly kind: RecordedKind;
  readonly text: string;
  /** UTF-8 JSON. */
  readonly manifests: readonly Uint8Array[];
}

/** The text that replaces that of edits. */
export type NewEdits = Pick<StoredEdits, 'id' | 'text'>;

/** The state that a stateful handler keeps for an object or a group. */
export interface StoredState {
  readonly handler: string;
  readonly queue: string;
  /** JSON. */
  readonly text: string;
}

/** Identifies a state. */
export type StateId = Pick<StoredState, 'handler' | 'queue'>;

/** A state as it was read, and what replaces it. */
export interface NewState extends StoredState {
  /** JSON. */
  readonly by: string;
}

export interface HeldQuery {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  /** `""` to start with the first. */
  readonly afterKey: string;
  readonly limit: number;
}

export interface HeldManifest {
  readonly key: string;
  /** UTF-8 JSON. */
  readonly body: Uint8Array<ArrayBuffer>;
}
