/** Changes for tests of handlers, made from manifests and deep-frozen: a handler that mutates one throws. */
import { groupVersionOf, keyOf, type Actor, type Change, type ChangeFlags, type Manifest } from '../change.ts';
import { pluralOf } from '../kind-names.ts';

export interface ChangeParts {
  /** Without it: `added`. */
  readonly before?: object;
  /** Without it: `deleted`. */
  readonly after?: object;
  /** A wake-up that a stateful handler asked for, of the object that the manifest names; it holds no manifest itself. */
  readonly timer?: boolean;
  readonly by?: readonly Actor[];
  readonly flags?: ChangeFlags;
  /** Milliseconds since the epoch. Default: 2026-11-20T23:42:03Z. */
  readonly observedAt?: number;
}

/** A change as the store returns it. @throws without any manifest, or if its kind or name is missing. */
export function changeOf(parts: ChangeParts): Change {
  const { before, after, timer = false, by = [], flags = {}, observedAt = 1_795_218_123_000 } = parts;
  const manifest = (after ?? before) as Manifest | undefined;
  if (manifest?.kind === undefined) throw new Error('A change needs a manifest with its kind');
  const { group, version } = groupVersionOf(manifest.apiVersion ?? 'v1');
  const { name, namespace, uid = 'uid-1', resourceVersion = '1' } = manifest.metadata;
  return deepFrozen({
    id: 1,
    action: timer ? 'timer' : before === undefined ? 'added' : after === undefined ? 'deleted' : 'updated',
    cluster: { id: 'cluster-1', name: 'test' },
    gvk: { group, version, kind: manifest.kind },
    gvr: { group, version, resource: pluralOf(manifest.kind) },
    key: keyOf(manifest.metadata),
    namespace,
    name,
    uid,
    resourceVersion,
    before: timer ? undefined : (before as Manifest | undefined),
    after: timer ? undefined : (after as Manifest | undefined),
    by,
    observedAt,
    flags,
    notes: {},
  });
}

export function deepFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFrozen);
  return value;
}
