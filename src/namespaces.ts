/**
 * Namespace selection. An exact name gets a list and watch of its own, for which a Role in that namespace is enough. Patterns
 * need a watch of all namespaces, filtered by name; this way objects in a namespace created later are seen at once.
 */
import { matchesGlob } from './text/glob.ts';

/** Whether it is a pattern, such as `team-*`. */
export function isPattern(namespace: string): boolean {
  return namespace.includes('*');
}

/** The places to watch, one scope each: `shop`; all patterns as one, `qa-*,team-*`, as they may overlap; `""` (all) if empty. */
export function namespaceScopesOf(namespaces: readonly string[]): readonly string[] {
  if (namespaces.length === 0) return [''];
  const patterns = namespaces.filter(isPattern).toSorted();
  return [...namespaces.filter((name) => !isPattern(name)), ...(patterns.length === 0 ? [] : [patterns.join(',')])];
}

/** The namespace to request from the API server for one of {@link namespaceScopesOf}; `""` means all. */
export function requestNamespaceOf(namespaceScope: string): string {
  return isPattern(namespaceScope) ? '' : namespaceScope;
}

/** Where a kind is watched for one of {@link namespaceScopesOf}: a cluster-scoped kind as a whole, whatever the configuration says. */
export function namespaceScopeFor({ namespaced }: { readonly namespaced: boolean }, namespaceScope: string): string {
  return namespaced ? namespaceScope : '';
}

/** Whether one of {@link namespaceScopesOf} includes this namespace. */
export function coversNamespace(namespaceScope: string, namespace: string): boolean {
  return namespaceScope === '' || matchesNamespace(namespaceScope.split(','), namespace);
}

/** Whether the configured names or patterns include this namespace; no names include all. */
export function matchesNamespace(names: readonly string[], namespace: string): boolean {
  return names.length === 0 || names.some((name) => matchesGlob(name, namespace));
}

/** `in namespaces qa-*, team-*`, `in all namespaces`. */
export function describeNamespaceScope(namespaceScope: string): string {
  if (namespaceScope === '') return 'in all namespaces';
  return isPattern(namespaceScope)
    ? `in namespaces ${namespaceScope.replaceAll(',', ', ')}`
    : `in namespace ${namespaceScope}`;
}
