/** What Kubernetes Events say about a pod that its status does not. */
import { manifestOf, type Change } from '../../src/change.ts';
import { eventFact, occurrencesOf } from '../../src/event.ts';
import { messagePart } from './classify.ts';
import type { Problem } from './problem.ts';

/** One or two are normal while a node or a ConfigMap is on its way: the kubelet tries again. */
const MIN_OCCURRENCES = 3;

/** client-go writes this after ten Events that differ in nothing but the message, as in the id of the sandbox. */
const COMBINED = '(combined from similar events)';

/** Event reasons for what keeps a pod from starting. */
const START_FAILURES: ReadonlySet<string> = new Set([
  'FailedMount',
  'FailedAttachVolume',
  'FailedMapVolume',
  'FailedCreatePodSandBox',
]);

/** `Container web failed liveness probe, will be restarted`, as the kubelet writes it. */
const PROBE_KILL = /^Container (?<container>\S+) failed (?<probe>liveness|startup) probe/;

/** As the kubelet writes it, with the reason `Unhealthy`. */
const READINESS_FAILURE = /^Readiness probe (?:failed|errored)/;

/** @param message of an Event */
export function isReadinessFailure(message: string): boolean {
  return READINESS_FAILURE.test(message);
}

/** Whether the Event says that its pod is not ready, which may be all that is heard of one that does not change. */
export function saysNotReady(change: Change): boolean {
  return isReadinessFailure(eventFact(change, 'message') ?? '');
}

/** Undefined if the Event reports no problem, has not occurred often enough, or repeats what the pod's status says. */
export function eventProblemOf(change: Change): Problem | undefined {
  const event = manifestOf(change);
  if (event === undefined) return undefined;
  const reason = eventFact(change, 'reason') ?? '';
  const message = eventFact(change, 'message') ?? '';
  if (START_FAILURES.has(reason)) {
    if (occurrencesOf(event) < MIN_OCCURRENCES && !message.startsWith(COMBINED)) return undefined;
    return { container: '', reason, level: 'Failure', ...messagePart(message), told: true };
  }
  const killed = reason === 'Killing' ? PROBE_KILL.exec(message)?.groups : undefined;
  if (killed === undefined) return undefined;
  const probe = killed['probe'] === 'startup' ? 'StartupProbeFailed' : 'LivenessProbeFailed';
  return { container: killed['container'] ?? '', reason: probe, level: 'Failure', ...messagePart(message), told: true };
}
