/** The pods that are watched, from the store: nobody else is asked. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Manifest } from '../../change.ts';
import type { Health } from '../../health.ts';
import { covers } from '../../namespaces.ts';
import { parseManifest } from '../../parse.ts';
import type { Store } from '../../store/store.ts';
import { inTurns } from '../turns.ts';

const PODS = { group: '', resource: 'pods' } as const;
/** Of one question to the store; between two everything else goes on. */
const PAGE = 50;

/** Undefined: it is not watched, or gone. */
export async function podNamed(store: Store, namespace: string, name: string): Promise<Manifest | undefined> {
  const body = await bodyOf(store, { namespace, name });
  return body === undefined ? undefined : parseManifest(body);
}

interface Place {
  readonly namespace: string;
  readonly name: string;
}

function bodyOf(store: Store, { namespace, name }: Place): Promise<Uint8Array | undefined> {
  return store.baseline(PODS.group, PODS.resource, `${namespace}/${name}`);
}

/** Of these the ones that are still there, each once: not a successor of the same name. */
export async function podsOf(
  store: Store,
  wanted: readonly (Place & { readonly uid: string })[],
): Promise<readonly Manifest[]> {
  const places = new Map(wanted.map((place) => [place.uid, place]));
  const bodies = await Promise.all([...places.values()].map((place) => bodyOf(store, place)));
  const pods = await inTurns(
    bodies.filter((body) => body !== undefined),
    parseManifest,
  );
  return pods.filter(({ metadata: { uid = '' } }) => places.has(uid));
}

/** In the order of their keys; an empty namespace: all. */
export async function* podsIn(store: Store, namespace: string): AsyncGenerator<Manifest> {
  for (let afterKey = ''; ;) {
    const page = await store.held({ ...PODS, namespace, afterKey, limit: PAGE });
    for (const { body } of page) yield parseManifest(body);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    afterKey = last.key;
    await nextTurn();
  }
}

/** Whether some scope of pods covers it. */
export function isWatched({ scopes }: Health, namespace: string): boolean {
  return podScopes(scopes).some((scope) => covers(scope.namespace, namespace));
}

export function podScopes(scopes: Health['scopes']): Health['scopes'] {
  return scopes.filter(({ resource }) => resource === 'v1/pods');
}
