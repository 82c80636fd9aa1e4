/** What one change shows about a pod, a node or a job, as far as alerts are concerned. */
import { keyOf, type Change, type Manifest } from '../../src/change.ts';
import {
  endedOf,
  exitPart,
  failureOf,
  messagePart,
  OUT_OF_MEMORY,
  problemsOf,
  type ClassifyOptions,
} from './classify.ts';
import { conditionOf, containersOf, expectedEndOf, hasToEnd, isReady, phaseOf, type Container } from './pod.ts';
import type { FailingKind } from './failing-kind.ts';
import { hasLeftWorkload } from './owner.ts';
import type { Problem } from './problem.ts';
import { rows, table, text, time } from './read.ts';

export interface Sighting {
  readonly uid: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly node: string | undefined;
  /** It is no longer a problem of its workload: deleted, deleting, completed, evicted on purpose, or another workload's. */
  readonly gone: boolean;
  /** Without those that had already failed for good before the change. */
  readonly problems: readonly Problem[];
  /** Not problems by themselves: see {@link endedOf}. */
  readonly ended: readonly Problem[];
  /** Since the last sighting, by container. */
  readonly restarts: ReadonlyMap<string, number>;
  readonly ready: boolean;
  /** Containers that serve, or have finished their work. */
  readonly healthy: ReadonlySet<string>;
  /** It has just become ready or completed its work, and so replaces what failed before it. */
  readonly hasJustSucceeded: boolean;
}

/** Whether a change of a pod can affect what is known about its group. */
export function podMatters(change: Change, options: ClassifyOptions): boolean {
  const { before, after } = change;
  const now = podSightingOf(change, options);
  if (now.problems.length > 0 || now.ended.length > 0 || now.restarts.size > 0 || now.hasJustSucceeded) return true;
  if (before === undefined) return false;
  const containers = containersOf(before);
  const hadRestarts = containers.some(({ restarts }) => restarts > 0);
  if (now.gone && hadRestarts) return expectedEndOf(before) === undefined;
  return (
    problemsOf(before, options).length > 0 ||
    endedOf(before, containers).length > 0 ||
    (after !== undefined && isReady(after) !== isReady(before) && hadRestarts)
  );
}

/** What is read of a change. */
export type ObservedChange = Pick<Change, 'action' | 'key' | 'uid' | 'before' | 'after' | 'flags'>;

/** As a change that changed nothing. */
export function asObserved(manifest: Manifest): ObservedChange {
  const { uid = '' } = manifest.metadata;
  return { action: 'updated', key: keyOf(manifest.metadata), uid, before: manifest, after: manifest, flags: {} };
}

function podSightingOf({ action, key, uid, before, after, flags }: ObservedChange, options: ClassifyOptions): Sighting {
  const pod = after ?? before;
  const hasMoved = after !== undefined && before !== undefined && hasLeftWorkload(after, before);
  // The kubelet may reject a pod that has completed when it restarts: https://github.com/kubernetes/kubernetes/issues/117955.
  const hadCompleted = before !== undefined && phaseOf(before) === 'Succeeded';
  const gone =
    action === 'deleted' || after === undefined || hasMoved || hadCompleted || expectedEndOf(after) !== undefined;
  const containers = after === undefined ? [] : containersOf(after);
  const restarts =
    gone || before === undefined ? NONE : restartsBetween(containersOf(before), containers, flags.whileAway === true);
  const lost = containers.filter(({ name, last }) => restarts.has(name) && last?.reason === OUT_OF_MEMORY);
  const problems = gone || after === undefined ? [] : newProblemsOf(after, before, options);
  return {
    uid,
    key,
    node: pod === undefined ? undefined : text(pod, 'spec', 'nodeName'),
    gone,
    problems: [...problems, ...lost.filter(({ name }) => !hasFailure(problems, name)).map(outOfMemoryProblem)],
    ended: gone || after === undefined ? [] : endedOf(after, containers),
    restarts,
    ready: !gone && after !== undefined && isReady(after),
    healthy: new Set(containers.filter(({ healthy }) => healthy).map(({ name }) => name)),
    hasJustSucceeded:
      after !== undefined && !hasMoved && hasSucceeded(after) && !(before !== undefined && hasSucceeded(before)),
  };
}

function hasFailure(problems: readonly Problem[], name: string): boolean {
  return problems.some(({ container, level }) => container === name && level === 'Failure');
}

const NONE: ReadonlyMap<string, number> = new Map();

/** For objects without containers. */
const NO_CONTAINERS = {
  node: undefined,
  ended: [],
  restarts: NONE,
  ready: false,
  healthy: new Set<string>(),
  hasJustSucceeded: false,
} as const;

/** @param isDown only for a node: see {@link nodeSightingOf} */
export function sightingOf(
  kind: FailingKind,
  observed: ObservedChange,
  options: ClassifyOptions,
  isDown: boolean,
): Sighting {
  if (kind === 'Job') return jobSightingOf(observed);
  return kind === 'Node' ? nodeSightingOf(observed, options, isDown) : podSightingOf(observed, options);
}

/** Leaves out what had already failed for good: it may have been replaced since. */
function newProblemsOf(pod: Manifest, before: Manifest | undefined, options: ClassifyOptions): readonly Problem[] {
  const had = before === undefined ? [] : problemsOf(before, options).filter(({ final }) => final === true);
  return problemsOf(pod, options).filter(
    ({ final, container }) => final !== true || !had.some((one) => one.container === container),
  );
}

/**
 * The increase of each count. Of several restarts while nothing was watching only the last is known to be recent; of those of
 * a container not seen before, none.
 */
function restartsBetween(
  before: readonly Container[],
  after: readonly Container[],
  away: boolean,
): ReadonlyMap<string, number> {
  const known = new Map(before.map(({ name, restarts }) => [name, restarts]));
  const jumps = after.map(({ name, restarts }) => [name, restarts - (known.get(name) ?? restarts)] as const);
  return new Map(jumps.filter(([, jump]) => jump > 0).map(([name, jump]) => [name, away ? 1 : jump]));
}

/** The container already runs again. */
function outOfMemoryProblem(container: Container): Problem {
  const { last } = container;
  return {
    ...failureOf(container),
    reason: OUT_OF_MEMORY,
    brief: true,
    ...(last === undefined ? {} : exitPart(last)),
  };
}

/** It serves, or has completed its work. */
export function hasSucceeded(pod: Manifest): boolean {
  return phaseOf(pod) === 'Succeeded' || (isReady(pod) && !hasToEnd(pod));
}

/**
 * A node has one problem: that it is not ready.
 *
 * @param isDown it was not ready before: whoever cordons it then is dealing with it, and that does not make it ready
 */
function nodeSightingOf(
  { action, key, uid, after }: ObservedChange,
  { pendingMs }: ClassifyOptions,
  isDown: boolean,
): Sighting {
  const gone = action === 'deleted' || after === undefined;
  const ready = conditionOf(after ?? { metadata: { name: key } }, 'Ready');
  const fails = !gone && ready !== undefined && ready.status !== 'True' && (isDown || !isOutOfService(after));
  const reason = ready?.status === 'Unknown' ? 'NodeUnreachable' : 'NodeNotReady';
  // A node that joins is not ready at first: the network comes up after the kubelet.
  const due = (time(after, 'metadata', 'creationTimestamp') ?? 0) + pendingMs;
  const problem: Problem = { container: '', reason, level: 'Failure', due, ...messagePart(ready?.message) };
  return { ...NO_CONTAINERS, uid, key, node: key, gone, problems: fails ? [problem] : [], ready: !gone && !fails };
}

/** Cordoned, as before a reboot, about to be removed, or being deleted. */
function isOutOfService(node: Manifest): boolean {
  return (
    table(node, 'spec')['unschedulable'] === true ||
    rows(node, 'spec', 'taints').some((taint) => REMOVAL_TAINTS.has(text(taint, 'key') ?? '')) ||
    text(node, 'metadata', 'deletionTimestamp') !== undefined
  );
}

/** What autoscalers and spot markets set before they take a node away; by default they do not cordon it. */
const REMOVAL_TAINTS: ReadonlySet<string> = new Set([
  'ToBeDeletedByClusterAutoscaler',
  'karpenter.sh/disrupted',
  'karpenter.sh/disruption',
  'aws-node-termination-handler/asg-lifecycle-termination',
  'aws-node-termination-handler/spot-itn',
  'cloud.google.com/impending-node-termination',
]);

/** A job has one problem: that it has given up. Why its pods failed is reported as their problem. */
function jobSightingOf({ action, key, uid, before, after }: ObservedChange): Sighting {
  const gone =
    action === 'deleted' || after === undefined || text(after, 'metadata', 'deletionTimestamp') !== undefined;
  const failure = gone ? undefined : conditionOf(after, 'Failed');
  const isNew = failure?.status === 'True' && !(before !== undefined && hasGivenUp(before));
  const { reason = 'Failed', message } = failure ?? {};
  const problem: Problem = { container: '', reason, level: 'Failure', job: true, final: true, ...messagePart(message) };
  const hasJustSucceeded = !gone && isDone(after) && !(before !== undefined && isDone(before));
  return { ...NO_CONTAINERS, uid, key, gone, problems: isNew ? [problem] : [], hasJustSucceeded };
}

function isDone(job: Manifest): boolean {
  return conditionOf(job, 'Complete')?.status === 'True';
}

function hasGivenUp(job: Manifest): boolean {
  return conditionOf(job, 'Failed')?.status === 'True';
}

/** {@link podMatters} for a job. */
export function jobMatters(change: Change): boolean {
  const { problems, gone, hasJustSucceeded } = jobSightingOf(change);
  return problems.length > 0 || hasJustSucceeded || (gone && change.before !== undefined && hasGivenUp(change.before));
}

/** {@link podMatters} for a node. */
export function nodeMatters({ action, key, uid, before, after, flags }: Change, options: ClassifyOptions): boolean {
  const isDown = (node: Manifest | undefined, wasDown: boolean): boolean =>
    nodeSightingOf({ action, key, uid, before, after: node, flags }, options, wasDown).problems.length > 0;
  if (action === 'deleted') return before !== undefined && !isReady(before);
  return isDown(after, false) !== isDown(before, false) || isDown(after, true) !== isDown(before, true);
}
