/** The pods that are watched, from the store: nobody else is asked. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Manifest } from '../../change.ts';
import type { Health } from '../../health.ts';
import type { Store } from '../../store/store.ts';

const PODS = { group: '', resource: 'pods' } as const;
/** Of one question to the store; between two everything else goes on. */
const PAGE = 50;

/** Undefined: it is not watched, or gone. */
export async function podNamed(store: Store, namespace: string, name: string): Promise<Manifest | undefined> {
  const body = await store.baseline(PODS.group, PODS.resource, `${namespace}/${name}`);
  return body === undefined ? undefined : parsed(body);
}

/** In the order of their keys; an empty namespace: all. */
export async function* podsIn(store: Store, namespace: string): AsyncGenerator<Manifest> {
  for (let afterKey = ''; ;) {
    const page = await store.held({ ...PODS, namespace, afterKey, limit: PAGE });
    for (const { body } of page) yield parsed(body);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    afterKey = last.key;
    await nextTurn();
  }
}

function parsed(body: Uint8Array): Manifest {
  return JSON.parse(Buffer.from(body).toString('utf8')) as Manifest;
}

/** Whether some scope of pods covers it. */
export function isWatched({ scopes }: Health, namespace: string): boolean {
  return podScopes(scopes).some((scope) => scope.namespace === '' || scope.namespace === namespace);
}

export function podScopes(scopes: Health['scopes']): Health['scopes'] {
  return scopes.filter(({ resource }) => resource === 'v1/pods');
}
