/** A change as an Event Controller plug-in sees it: a watch event. */
import { manifestOf, type Change, type Manifest } from '../change.ts';

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Manifest | undefined;
}

const TYPES = { added: 'ADDED', updated: 'MODIFIED', deleted: 'DELETED', timer: 'MODIFIED' } as const;

export function eventOf(change: Change): WatchEvent {
  return { type: TYPES[change.action], object: manifestOf(change) };
}
