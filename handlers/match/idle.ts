/** Tests that no change can meet, whatever happens in the cluster. */
import type { WatchedKind } from '../../src/chain/handler.ts';
import { compilePatterns } from '../../src/config/fields.ts';
import { isEvent } from '../../src/event.ts';
import { EVENT_TESTS, type Tests } from './options.ts';

type EventTest = keyof typeof EVENT_TESTS;

/** Why the tests hold for no object of these kinds: `its kind is ^Pod$`; undefined if they may. */
export function whyNoneHolds(
  tests: Partial<Pick<Tests, 'kind' | EventTest>>,
  kinds: readonly WatchedKind[],
): string | undefined {
  const { kind } = tests;
  if (kind !== undefined) {
    const matches = compilePatterns(kind, { ignoreCase: true });
    if (!kinds.some((watched) => matches(watched.kind))) return `its kind is ${[kind].flat().join(' or ')}`;
  }
  const eventTest = (Object.keys(EVENT_TESTS) as EventTest[]).find((test) => tests[test] !== undefined);
  if (eventTest !== undefined && !kinds.some(isEvent)) return `its ${eventTest} is for Kubernetes Events`;
  return undefined;
}
