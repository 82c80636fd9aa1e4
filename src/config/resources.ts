/** What the chains of a configuration watch, without duplicates. */
import { isEventName } from '../event.ts';
import { coversNamespace, isPattern } from '../namespaces.ts';
import { resolveBuiltIn } from '../source/built-in-kinds.ts';
import type { ResourceTable } from './chain-schema.ts';
import type { EventConfig, ResourceConfig } from './config.ts';
import { durationMs } from './duration.ts';

/** Defaults for resources, from `--namespace` and `--label-selector`. */
export interface ResourceDefaults {
  readonly namespaces: readonly string[];
  readonly labelSelector: string;
}

/** Resources that would be watched twice are watched once: kwatchman doubled every notification. */
export function toResources(
  tables: readonly ResourceTable[],
  defaults: ResourceDefaults,
  at: (index: number) => string,
): readonly ResourceConfig[] {
  const resources = tables.map((table, index) => toResource(table, defaults, at(index)));
  const seen = new Set<string>();
  const firstTime = (key: string): boolean => !seen.has(key) && seen.add(key).size > 0;
  const alike = Map.groupBy(resources, selectionKey);
  return resources.flatMap((one) => {
    const key = selectionKey(one);
    const together = alike.get(key) ?? [];
    const events = one.events && together.flatMap((other) => other.events ?? []);
    const isEverywhere = together.some(({ namespaces }) => namespaces.length === 0);
    if (isEverywhere) return one.namespaces.length === 0 && firstTime(key) ? [{ ...one, events }] : [];
    const patterns = together.flatMap(({ namespaces }) => namespaces.filter(isPattern));
    const namespaces = one.namespaces
      // Two patterns may match the same namespace: they are watched together, by the first resource that has one.
      .flatMap((name) => (isPattern(name) ? patterns : name))
      .filter((name) => isPattern(name) || !patterns.some((pattern) => coversNamespace(pattern, name)))
      .filter((name) => firstTime(`${key} ${name}`));
    return namespaces.length === 0 ? [] : [{ ...one, namespaces, events }];
  });
}

function toResource(table: ResourceTable, defaults: ResourceDefaults, at: string): ResourceConfig {
  const namespaces = expandWildcard(table.namespaces ?? defaults.namespaces);
  return {
    kind: table.kind,
    apiVersion: table.apiVersion,
    namespaces,
    labelSelector: table.labelSelector ?? defaults.labelSelector,
    fieldSelector: table.fieldSelector ?? '',
    events: toEvents(table, namespaces),
    at,
  };
}

/** `*` means all namespaces, such as for one resource in spite of `--namespace`. */
function expandWildcard(namespaces: readonly string[]): readonly string[] {
  return namespaces.includes('*') ? [] : namespaces;
}

function toEvents(
  { kind, apiVersion, repeats = 'powers', maxAge }: ResourceTable,
  namespaces: readonly string[],
): readonly EventConfig[] | undefined {
  if (!isEventName(kind, apiVersion)) return undefined;
  return [{ namespaces, repeats, maxAgeMs: maxAge === undefined ? undefined : durationMs(maxAge, Infinity) }];
}

/** Both API groups serve the same Events: each chain watches only the first one it names. */
function selectionKey({ kind, apiVersion, labelSelector, fieldSelector, events }: ResourceConfig): string {
  const what = events === undefined ? kindKeyOf(kind, apiVersion) : ['event', null];
  return JSON.stringify([...what, labelSelector, fieldSelector]);
}

/** `deploy`, `Deployments` and `deployments.apps` are one kind; for kinds that only a cluster knows, each spelling is a kind. */
function kindKeyOf(kind: string, apiVersion: string | undefined): readonly unknown[] {
  const known = resolveBuiltIn(kind, apiVersion);
  return known.kind === 'found' ? [known.resource.group, known.resource.resource] : [kind.toLowerCase(), apiVersion];
}
