/** Names of a kind, in URLs and for people. */
import { apiVersionOf, type Gvr } from '../change.ts';

/** `/api/v1/pods`, `/apis/apps/v1/namespaces/shop/deployments`. @param namespace `""` for all, or for a cluster-scoped kind */
export function pathOf(gvr: Gvr & { readonly root?: '/oapi' }, namespace: string): string {
  const root = gvr.root ?? (gvr.group === '' ? '/api' : '/apis');
  const within = namespace === '' ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}/${apiVersionOf(gvr)}${within}/${gvr.resource}`;
}

/** `v1/pods`, `apps/v1/deployments`. */
export function resourceName(gvr: Gvr): string {
  return `${apiVersionOf(gvr)}/${gvr.resource}`;
}

/** `pods`, `deployments.apps`: as kubectl accepts it and the API server writes it. All versions of a kind share it. */
export function groupResource({ group, resource }: Pick<Gvr, 'group' | 'resource'>): string {
  return group === '' ? resource : `${resource}.${group}`;
}
