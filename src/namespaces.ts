/**
 * Which namespaces are meant. An exact name is a list and watch of its own, for which a Role in that namespace is enough. Patterns
 * need a watch of all namespaces, whose objects are passed over elsewhere: so what is in a namespace made later is seen at once.
 */
import { matchesGlob } from './glob.ts';

/** `team-*`. */
export function isPattern(namespace: string): boolean {
  return namespace.includes('*');
}

/** What a scope is for, one each: `shop`; all patterns together, `qa-*,team-*`, as two may mean the same namespace; `""`, all, for none. */
export function placesOf(namespaces: readonly string[]): readonly string[] {
  if (namespaces.length === 0) return [''];
  const patterns = namespaces.filter(isPattern).toSorted();
  return [...namespaces.filter((name) => !isPattern(name)), ...(patterns.length === 0 ? [] : [patterns.join(',')])];
}

/** The namespace to ask the API server for, of one of {@link placesOf}; `""`: all of them. */
export function askedIn(place: string): string {
  return isPattern(place) ? '' : place;
}

/** Of one of {@link placesOf}, where a kind is watched: what has no namespace whole, whatever the configuration says. */
export function placeOf({ namespaced }: { readonly namespaced: boolean }, place: string): string {
  return namespaced ? place : '';
}

/** Whether one of {@link placesOf} means this namespace. */
export function covers(place: string, namespace: string): boolean {
  return place === '' || meanNamespace(place.split(','), namespace);
}

/** Whether a configuration that names these means this namespace; none: it means all. */
export function meanNamespace(names: readonly string[], namespace: string): boolean {
  return names.length === 0 || names.some((name) => matchesGlob(name, namespace));
}

/** `in namespaces qa-*, team-*`, `in all namespaces`. */
export function inPlace(place: string): string {
  if (place === '') return 'in all namespaces';
  return isPattern(place) ? `in namespaces ${place.replaceAll(',', ', ')}` : `in namespace ${place}`;
}
