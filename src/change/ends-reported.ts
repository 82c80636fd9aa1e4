import type { Change } from '../change.ts';

/**
 * Whether an alert is over, or what `lasting` reported. A handler that passes only some changes passes this one always: whoever
 * was told of the beginning would otherwise keep the incident open.
 */
export function endsReported({ notes }: Change): boolean {
  return notes.alert?.status === 'resolved' || notes.lasting?.status === 'over';
}
