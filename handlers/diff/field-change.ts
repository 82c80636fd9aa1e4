import type { Json } from '../../src/json.ts';
import type { Step } from './path.ts';

/** One field that changed. A block that was added or removed whole is one field. */
export interface FieldChange {
  /** `spec.template.spec.containers[web].image`; items by their merge key, else `name`, else index. */
  readonly path: string;
  /** The same path, step by step. */
  readonly steps: readonly Step[];
  /** `reorder`: the same items in another order; `before` and `after` hold plain values, or the items' labels or old indexes. */
  readonly op: 'add' | 'remove' | 'replace' | 'reorder';
  /** Undefined for `add`. */
  readonly before: Json | undefined;
  /** Undefined for `remove`. */
  readonly after: Json | undefined;
}
