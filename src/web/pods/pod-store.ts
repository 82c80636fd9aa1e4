/** The watched pods, from the store alone. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Manifest } from '../../change.ts';
import type { Health } from '../../health.ts';
import { coversNamespace } from '../../namespaces.ts';
import { parseManifest } from '../../parse-json.ts';
import type { Store } from '../../store/store.ts';
import { mapYielding } from '../map-yielding.ts';

const PODS = { group: '', resource: 'pods' } as const;
/** Per query to the store; other work runs between two. */
const PAGE_SIZE = 50;

/** Undefined: it is not watched, or gone. */
export async function podNamed(store: Store, namespace: string, name: string): Promise<Manifest | undefined> {
  const body = await bodyOf(store, { namespace, name });
  return body === undefined ? undefined : parseManifest(body);
}

interface PodName {
  readonly namespace: string;
  readonly name: string;
}

function bodyOf(store: Store, { namespace, name }: PodName): Promise<Uint8Array | undefined> {
  return store.baseline(PODS.group, PODS.resource, `${namespace}/${name}`);
}

/** Those of these pods that still exist, each once, excluding a successor of the same name. */
export async function podsOf(
  store: Store,
  requested: readonly (PodName & { readonly uid: string })[],
): Promise<readonly Manifest[]> {
  const byUid = new Map(requested.map((pod) => [pod.uid, pod]));
  const bodies = await Promise.all([...byUid.values()].map((pod) => bodyOf(store, pod)));
  const pods = await mapYielding(
    bodies.filter((body) => body !== undefined),
    parseManifest,
  );
  return pods.filter(({ metadata: { uid = '' } }) => byUid.has(uid));
}

/** In key order; an empty namespace means all. */
export async function* podsIn(store: Store, namespace: string): AsyncGenerator<Manifest> {
  for (let afterKey = ''; ;) {
    const page = await store.held({ ...PODS, namespace, afterKey, limit: PAGE_SIZE });
    for (const { body } of page) yield parseManifest(body);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_SIZE) return;
    afterKey = last.key;
    await nextTurn();
  }
}

/** Whether any scope of pods covers the namespace. */
export function isWatched({ scopes }: Health, namespace: string): boolean {
  return podScopes(scopes).some((scope) => coversNamespace(scope.namespace, namespace));
}

export function podScopes(scopes: Health['scopes']): Health['scopes'] {
  return scopes.filter(({ resource }) => resource === 'v1/pods');
}
