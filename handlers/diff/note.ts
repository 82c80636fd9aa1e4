/** What the handler leaves for later handlers in `change.notes.diff`. */
import type { Operation } from 'fast-json-patch';
import type { Actor } from '../../src/change.ts';
import type { JsonObject } from '../../src/json.ts';
import { ownGetters } from '../../src/change/own-getters.ts';
import { managersOf } from './actors.ts';
import type { FieldChange } from './field-change.ts';
import type { FieldRules } from './fields.ts';
import { headlineOf } from './headline.ts';
import { byImportance } from './importance.ts';
import { patchOf } from './patch.ts';
import { unifiedOf } from './unified.ts';

declare module '../../src/change.ts' {
  interface Notes {
    /** Left by `diff` on every update that it passes. */
    readonly diff: DiffNote;
  }
}

/** What really changed. Everything but the fields is computed on first read. */
export interface DiffNote {
  /** The most important first; `formatField` in text.ts prints one as `path: old -> new`. Never empty. */
  readonly fields: readonly FieldChange[];
  /** One line: `image web nginx:1.7.9 -> nginx:1.9.1, replicas 1 -> 3`. */
  readonly headline: string;
  /** The fields that do not fit on a line, as a unified diff; empty when all do. */
  readonly unified: string;
  /** RFC 6902, from the old manifest to the new one, both without quiet or ignored fields. */
  readonly patch: readonly Operation[];
  /** The managers that changed these fields: `["kubectl-set"]`. */
  readonly by: readonly string[];
}

export interface DiffInput {
  readonly before: JsonObject;
  readonly after: JsonObject;
  readonly rules: FieldRules;
  readonly by: readonly Actor[];
}

export function createNote(found: readonly FieldChange[], input: DiffInput): DiffNote {
  return new LazyNote(found, input);
}

class LazyNote implements DiffNote {
  readonly fields: readonly FieldChange[];
  declare readonly headline: string;
  declare readonly unified: string;
  declare readonly patch: readonly Operation[];
  declare readonly by: readonly string[];
  readonly #input: DiffInput;
  #headline: string | undefined;
  #unified: string | undefined;
  #patch: readonly Operation[] | undefined;
  #by: readonly string[] | undefined;

  constructor(found: readonly FieldChange[], input: DiffInput) {
    this.fields = byImportance(found);
    this.#input = input;
    Object.defineProperties(this, LazyNote.#getters);
  }

  static readonly #getters = ownGetters<LazyNote>({
    headline: (note) => (note.#headline ??= headlineOf(note.fields)),
    unified: (note) => (note.#unified ??= unifiedOf(note.fields)),
    patch: (note) => {
      const { before, after, rules } = note.#input;
      return (note.#patch ??= patchOf(before, after, rules));
    },
    by: (note) => (note.#by ??= managersOf(note.fields, note.#input.by)),
  });
}
