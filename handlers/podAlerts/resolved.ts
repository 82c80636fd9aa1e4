import type { Change } from '../../src/change.ts';

/**
 * Whether an alert is over. A handler that passes only some changes passes this one always: whoever was told of the beginning
 * would otherwise keep the incident open.
 */
export function isResolvedAlert({ notes }: Change): boolean {
  return notes.alert?.status === 'resolved';
}
