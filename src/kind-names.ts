/** The names by which people know a kind, without asking a cluster. */
import { ConfigError } from './errors.ts';
import { didYouMean } from './text/near.ts';
import { BUILT_IN_KINDS } from './source/built-in-kinds.ts';
import { groupResource } from './source/resource-path.ts';
import type { ObjectsQuery } from './store/looking-back.ts';
import type { Store } from './store/store.ts';
import type { RecordedKind } from './store/stored.ts';

/** Kind, plurals and short names, in lower case. */
export function namesOf(kind: string): readonly string[] {
  const name = kind.toLowerCase();
  const shortNames = BUILT_IN_KINDS.filter(({ singular }) => singular === name).flatMap((known) => known.shortNames);
  return [name, `${name}s`, `${name}es`, name.replace(/y$/, 'ies'), ...shortNames];
}

/** The resource of a kind, guessed as `kubectl` and client-go do without a cluster: `ingresses`, `networkpolicies`. */
export function pluralOf(kind: string): string {
  const name = kind.toLowerCase();
  if (name === 'endpoints') return name;
  if (name.endsWith('s')) return `${name}es`;
  return name.endsWith('y') ? `${name.slice(0, -1)}ies` : `${name}s`;
}

/** Which objects a command or a request to the page asks for. */
export interface ObjectFlags {
  readonly kind?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

/** The part of a store query that selects these objects. @throws ConfigError as {@link recordedKind} */
export async function objectQuery(store: Store, { kind, namespace, name }: ObjectFlags): Promise<ObjectsQuery> {
  const recorded = kind === undefined ? undefined : await recordedKind(store, kind);
  return { ...recorded, namespace, name };
}

/**
 * The recorded kind that `requested` names: by kind, plural or short name, in any case, with `.group` if needed.
 * @throws ConfigError with the available names, if none or several match
 */
async function recordedKind(
  store: Store,
  requested: string,
): Promise<{ readonly group: string; readonly resource: string }> {
  const kinds = await store.kinds();
  const [name = '', ...group] = requested.toLowerCase().split('.');
  const matches = (one: RecordedKind) =>
    (group.length === 0 || one.group === group.join('.')) && [one.resource, ...namesOf(one.kind)].includes(name);
  const found = new Map(kinds.filter(matches).map((one) => [groupResource(one), one]));
  const [only, ...others] = found.values();
  if (only !== undefined && others.length === 0) return { group: only.group, resource: only.resource };
  if (only !== undefined)
    throw new ConfigError([`Several kinds are named "${requested}"; choose one of ${[...found.keys()].join(', ')}`]);
  const known = [...new Set(kinds.map(groupResource))].toSorted();
  const near = didYouMean(
    name,
    kinds.flatMap(({ kind, resource }) => [kind.toLowerCase(), resource]),
  );
  const hint = known.length === 0 ? '; nothing is recorded yet' : `; recorded kinds are ${known.join(', ')}`;
  throw new ConfigError([`Nothing of kind "${requested}" is recorded${near === '' ? hint : near}`]);
}
