/** What is wrong with a pod, judging by its manifest alone; expected ends are no problem. */
import type { Manifest } from '../../src/change.ts';
import { redactText } from '../../src/enrich/redact-text.ts';
import { onOneLine } from '../../src/text/one-line.ts';
import { cut } from '../diff/text.ts';
import {
  conditionOf,
  containersOf,
  expectedEndOf,
  failureOfPod,
  isSidecar,
  phaseOf,
  type Container,
  type Exit,
} from './pod.ts';
import type { Problem } from './problem.ts';
import { unreadyOf } from './readiness.ts';
import { text, time } from './read.ts';

export interface ClassifyOptions {
  /** How long a pod may be pending, in milliseconds; from when it has a node, if that is known. */
  readonly pendingMs: number;
  /** How long it may wait for a node that fits. */
  readonly unschedulableMs: number;
  /** How long it may run without being ready; 0: for ever. */
  readonly notReadyMs: number;
}

const MAX_MESSAGE_CHARS = 500;
const MAX_SEARCHED_CHARS = 4 * MAX_MESSAGE_CHARS;
const MAX_REASON_CHARS = 100;

/** Harmless reasons for a container to wait. All others are errors of the kubelet or the runtime. */
const HARMLESS_WAITS: ReadonlySet<string> = new Set([
  'ContainerCreating',
  'PodInitializing',
  // The states of Azure's container instances, as its virtual kubelet passes them on.
  'Accepted',
  'Creating',
  'Pending',
  'Repairing',
  'Waiting',
]);

/**
 * The most important first. Restarts are not counted here; an exit after which the kubelet starts the container again is a
 * restart, unless the container ran out of memory.
 */
export function problemsOf(pod: Manifest, options: ClassifyOptions): readonly Problem[] {
  if (expectedEndOf(pod) !== undefined) return [];
  const hasFailed = phaseOf(pod) === 'Failed';
  const containers = byEnd(containersOf(pod)).flatMap((container) => problemOf(container, hasFailed));
  const own = hasFailed ? failedPod(pod, containers.length > 0) : pendingPod(pod, options);
  if (own === undefined) return [...containers, ...notReadyPod(pod, options)];
  return own.due === undefined ? [own, ...containers] : [...containers, own];
}

/** The first to end is what failed; its end may have ended the others, such as a job's proxy or the steps after it. */
function byEnd(containers: readonly Container[]): readonly Container[] {
  const endOf = ({ terminated }: Container): number => terminated?.endedAt ?? Infinity;
  return containers.toSorted((a, b) => (endOf(a) === endOf(b) ? 0 : endOf(a) - endOf(b)));
}

/** @param hasFailed the pod has failed for good */
function problemOf(container: Container, hasFailed: boolean): readonly Problem[] {
  const { waiting, terminated, last } = container;
  // The kubelet ends sidecars last, and no pod fails because of them.
  if (hasFailed && isSidecar(container)) return [];
  if (waiting !== undefined && !HARMLESS_WAITS.has(waiting.reason)) {
    return [
      {
        ...failureOf(container),
        reason: cut(waiting.reason, MAX_REASON_CHARS),
        ...messagePart(messageOf(waiting, last)),
        ...(last === undefined ? {} : becauseOf(last)),
      },
    ];
  }
  if (terminated === undefined || terminated.exitCode === 0) return [];
  const isFinal = hasFailed || container.restartPolicy === 'Never';
  if (!isFinal && terminated.reason !== OUT_OF_MEMORY) return [];
  return [{ ...exitProblem(container, terminated), ...(isFinal ? { final: true } : {}) }];
}

/** Of a crash loop, what the container said when it ended: that the kubelet backs off explains nothing. */
function messageOf({ reason, message }: NonNullable<Container['waiting']>, last: Exit | undefined): string | undefined {
  return (reason === 'CrashLoopBackOff' ? last?.message : undefined) ?? message;
}

/** What all failures of a container have in common. */
export function failureOf({ name, init, image }: Container): Pick<Problem, 'container' | 'level' | 'image' | 'init'> {
  return {
    container: name,
    level: 'Failure',
    ...(image === undefined ? {} : { image }),
    ...(init ? { init } : {}),
  };
}

function exitProblem(container: Container, exit: Exit): Problem {
  return { ...failureOf(container), reason: cut(exit.reason, MAX_REASON_CHARS), ...exitPart(exit) };
}

export const OUT_OF_MEMORY = 'OOMKilled';

/** A container that runs this long is not in a crash loop: the kubelet then resets its back-off. */
const BACK_OFF_ENDS_MS = 600_000;

/**
 * Containers that ended soon after they began and that the kubelet will start again, within five minutes: until then it reports
 * them as terminated, and as `CrashLoopBackOff` only for a moment. This counts as a problem only if there was one before.
 */
export function endedOf(pod: Manifest, containers: readonly Container[]): readonly Problem[] {
  if (phaseOf(pod) === 'Failed' || expectedEndOf(pod) !== undefined) return [];
  return containers.flatMap((container) => {
    const { terminated, restartPolicy } = container;
    if (terminated === undefined || (terminated.ranMs ?? 0) >= BACK_OFF_ENDS_MS) return [];
    const isOver = restartPolicy === 'Never' || (restartPolicy === 'OnFailure' && terminated.exitCode === 0);
    return isOver ? [] : [exitProblem(container, terminated)];
  });
}

function becauseOf(exit: Exit): Pick<Problem, 'because' | 'exitCode' | 'signal'> {
  const { message: _, ...part } = exitPart(exit);
  return { because: exit.reason, ...part };
}

/** The part of a problem that describes how the container ended. */
export function exitPart({ exitCode, signal, message }: Exit): Pick<Problem, 'exitCode' | 'signal' | 'message'> {
  return {
    exitCode,
    ...(signal === undefined ? {} : { signal }),
    ...messagePart(message),
  };
}

/** `Evicted`, `OutOfcpu`, `DeadlineExceeded`; if the pod has no reason of its own, its containers say more. */
function failedPod(pod: Manifest, isExplained: boolean): Problem | undefined {
  const { reason, message } = failureOfPod(pod);
  if (reason === undefined && isExplained) return undefined;
  return {
    container: '',
    reason: cut(reason ?? 'Failed', MAX_REASON_CHARS),
    level: 'Failure',
    final: true,
    ...messagePart(message),
  };
}

export const NOT_READY = 'NotReady';

function notReadyPod(pod: Manifest, { notReadyMs }: ClassifyOptions): readonly Problem[] {
  if (notReadyMs === 0) return [];
  // Names the containers, or the readiness gates.
  const said = messagePart(conditionOf(pod, 'Ready')?.message);
  return unreadyOf(pod).map(({ container, since, expectedAt }) => ({
    ...(container === undefined ? { container: '' } : failureOf(container)),
    reason: NOT_READY,
    level: 'Warning',
    since,
    due: expectedAt + notReadyMs,
    ...said,
  }));
}

function pendingPod(pod: Manifest, { pendingMs, unschedulableMs }: ClassifyOptions): Problem | undefined {
  if (phaseOf(pod) !== 'Pending') return undefined;
  const scheduled = conditionOf(pod, 'PodScheduled');
  // Held back by whoever set the gates.
  if (scheduled?.reason === 'SchedulingGated') return undefined;
  const createdAt = time(pod, 'metadata', 'creationTimestamp') ?? 0;
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable') {
    const due = (scheduled.since ?? createdAt) + unschedulableMs;
    return { container: '', reason: 'Unschedulable', level: 'Failure', due, ...messagePart(scheduled.message) };
  }
  // The wait for a node, which an autoscaler may have to add, is not counted again.
  const since = scheduled?.status === 'True' ? scheduled.since : undefined;
  return {
    container: '',
    reason: 'Pending',
    level: 'Failure',
    due: (since ?? createdAt) + pendingMs,
    ...messagePart(pendingReason(pod)),
  };
}

function pendingReason(pod: Manifest): string | undefined {
  const said = [text(pod, 'status', 'reason'), text(pod, 'status', 'message')].filter((part) => part !== undefined);
  if (said.length > 0) return said.join(': ');
  const scheduled = conditionOf(pod, 'PodScheduled');
  if (scheduled?.status === 'False') return scheduled.message;
  const waiting = containersOf(pod).find(({ state, init }) => state === 'waiting' || (init && state === 'running'));
  if (waiting === undefined) return undefined;
  return waiting.state === 'running'
    ? `init container ${waiting.name} is running`
    : `${waiting.name}: ${waiting.waiting?.reason ?? 'waiting'}`;
}

/** On one line, cut to a readable length. Secrets are hidden before that: once cut, one may no longer be recognizable. */
export function messagePart(message: string | undefined): Pick<Problem, 'message'> {
  if (message === undefined) return {};
  const clean = redactText(message.slice(0, MAX_SEARCHED_CHARS), nameless);
  return { message: cut(onOneLine(clean), MAX_MESSAGE_CHARS) };
}

/** Secret names are applied later, when the alert is sent: a name precedes its value, so cutting keeps it. */
function nameless(): boolean {
  return false;
}
