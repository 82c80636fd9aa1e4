/** What is remembered about one workload, and how each sighting changes it. Pure: time is passed in. */
import { own, type JsonObject } from '../../src/json.ts';
import type { Owner } from './owner.ts';
import type { Level, Problem } from './problem.ts';
import {
  addRestarts,
  expiresAt,
  isRestartWarning,
  restartWarning,
  warningEndsAt,
  type RestartRule,
} from './restarts.ts';
import type { Sighting } from './sighting.ts';

/** A problem and when it began, milliseconds since the epoch. */
export type KnownProblem = Problem & { readonly since: number };

/** Kept in the store, so JSON, like all that is in it: TypeScript takes types for that, but no interfaces. */
export type PodState = {
  /** `namespace/name`. */
  readonly key: string;
  readonly node?: string;
  /** Including those that are not due yet. */
  readonly problems: readonly KnownProblem[];
  /** Restarts in the window, by container. */
  readonly restarts: Readonly<Record<string, readonly number[]>>;
};

export type AlertState = {
  readonly since: number;
  /** The first problem, or the failure that a warning became. */
  readonly lead: KnownProblem;
  readonly pod: string;
  readonly uid: string;
  readonly node?: string;
  /** The most pods that failed at the same time. */
  readonly pods: number;
  /** The level sent last; absent if nothing was sent yet, because it is muted. */
  readonly told?: Level;
  /** The highest level sent, if that is another. */
  readonly worst?: Level;
  readonly toldAt?: number;
  /** When nothing was known to fail any more: the hold-down starts here. */
  readonly recoveredAt?: number;
  /** What failed last was deleted, and nothing has succeeded in its place. */
  readonly gone?: true;
  /** When the recovery was seen, which may be earlier. */
  readonly endedAt?: number;
  /**
   * The parts of the pod that handlers select by: the message about the end names the same ones. With kind and apiVersion, so
   * that later redaction rules apply to it.
   */
  readonly manifest?: JsonObject;
};

export type GroupState = {
  readonly owner?: Owner;
  /** By uid; only pods with a problem or restarts in the window, jobs that have given up, or a node. */
  readonly pods: Readonly<Record<string, PodState>>;
  readonly alert?: AlertState;
  /** When its last alerts were resolved. */
  readonly resolved: readonly number[];
};

export const EMPTY: GroupState = { pods: {}, resolved: [] };

/** Pods kept per workload: more failing ones change no message. */
const MAX_PODS = 100;
/** Failing pods kept with message and image: the state is written at each change of a pod, for 100 pods in a storm. */
const MAX_DETAILED = 5;

/** The restarts of one container, which may be called `constructor`. */
export function restartTimesOf(restarts: PodState['restarts'], container: string): readonly number[] {
  return own(restarts, container) ?? [];
}

/** The group after one of its pods was seen. */
export function withSighting(state: GroupState, sighting: Sighting, now: number, rule: RestartRule): GroupState {
  const { [sighting.uid]: known, ...others } = state.pods;
  const rest = sighting.hasJustSucceeded ? withoutFinal(others) : others;
  const pod = sighting.gone ? undefined : podAfter(known, withEnded(sighting, state.alert), now, rule);
  return {
    ...state,
    ...(state.alert === undefined ? {} : { alert: withEnd(state.alert, known, sighting, now) }),
    pods: pod === undefined ? rest : withPod(rest, sighting.uid, pod, now),
  };
}

function withEnd(
  alert: AlertState,
  known: PodState | undefined,
  { gone, hasJustSucceeded }: Sighting,
  now: number,
): AlertState {
  if (hasJustSucceeded) {
    const { gone: _, ...served } = alert;
    return served;
  }
  return gone && known !== undefined && isFailing(known, now) ? { ...alert, gone } : alert;
}

/** A container that failed, ran and ended again still has its problem, whatever its status says until it next runs. */
function withEnded(sighting: Sighting, alert: AlertState | undefined): Sighting {
  if (alert?.told !== 'Failure') return sighting;
  const { problems, ended } = sighting;
  return {
    ...sighting,
    problems: [...problems, ...ended.filter((one) => !problems.some((other) => isSame(one, other)))],
  };
}

/** Whether it has a problem now. */
export function isFailing({ problems }: PodState, now: number): boolean {
  return problems.some((problem) => isDue(problem, now));
}

export function isPodFailing({ pods }: GroupState, uid: string, now: number): boolean {
  const pod = pods[uid];
  return pod !== undefined && isFailing(pod, now);
}

/** Whether the problem that an alert is about continues. */
export function isLeadFailing({ pods }: GroupState, { uid, lead }: AlertState, now: number): boolean {
  return pods[uid]?.problems.some((problem) => isSame(problem, lead) && isDue(problem, now)) === true;
}

/** Adds a pod. At the limit, failing pods displace those that are only starting, as in a rollout of hundreds. */
function withPod(pods: GroupState['pods'], uid: string, pod: PodState, now: number): GroupState['pods'] {
  const entries = Object.entries(pods);
  const failing = entries.filter(([, other]) => isFailing(other, now)).length;
  const kept = failing < MAX_DETAILED ? pod : withoutDetails(pod);
  if (entries.length < MAX_PODS) return { ...pods, [uid]: kept };
  const spare = entries.findIndex(([, other]) => !isFailing(other, now));
  if (spare === -1 || !isFailing(pod, now)) return pods;
  return { ...Object.fromEntries(entries.toSpliced(spare, 1)), [uid]: kept };
}

function withoutDetails(pod: PodState): PodState {
  const problems = pod.problems.map((problem): KnownProblem => ({ ...problem, message: undefined, image: undefined }));
  return { ...pod, problems };
}

/** The group after an Event reported a problem of one of its pods. */
export function withEventProblem(
  state: GroupState,
  { uid, key, node }: Pick<Sighting, 'uid' | 'key' | 'node'>,
  problem: Problem,
  now: number,
): GroupState {
  const { [uid]: known, ...rest } = state.pods;
  const { problems, restarts, ...facts } = known ?? { key, ...nodePart(node), problems: [], restarts: {} };
  const others = problems.filter((old) => !isSame(problem, old));
  const pod = { ...facts, problems: [...others, { ...problem, since: startOf(problem, known, now) }], restarts };
  return { ...state, pods: withPod(rest, uid, pod, now) };
}

function podAfter(
  known: PodState | undefined,
  sighting: Sighting,
  now: number,
  rule: RestartRule,
): PodState | undefined {
  const { problems: fresh } = sighting;
  const stay = (known?.problems ?? []).filter(
    (old) => !fresh.some((one) => isSame(one, old)) && remainsAfter(old, sighting),
  );
  const failing = new Set(
    [...fresh, ...stay].filter(({ level }) => level === 'Failure').map(({ container }) => container),
  );
  const counts = restartsAfter(withoutRecovered(known, failing), sighting.restarts, now, rule);
  const warnings = warningsOf(sighting.restarts, counts, rule).filter(({ container }) => !failing.has(container));
  const kept = stay.filter((old) => !supersedes(failing, warnings, old));
  const begun = [...fresh.filter((one) => !supersedes(failing, [], one)), ...warnings].map((one) => ({
    ...one,
    since: startOf(one, known, now),
  }));
  if (begun.length + kept.length === 0 && Object.keys(counts).length === 0) return undefined;
  const { key, node } = sighting;
  return { key, ...nodePart(node), problems: [...begun, ...kept], restarts: counts };
}

function nodePart(node: string | undefined): Pick<PodState, 'node'> {
  return node === undefined ? {} : { node };
}

/** A failure supersedes the warnings about its container, and a new warning an old one. */
function supersedes(failing: ReadonlySet<string>, warnings: readonly Problem[], problem: Problem): boolean {
  return (
    problem.level === 'Warning' && (failing.has(problem.container) || warnings.some((one) => isSame(one, problem)))
  );
}

/** Leaves out the restarts of a failure that is over: they were reported with it. */
function withoutRecovered(known: PodState | undefined, failing: ReadonlySet<string>): PodState['restarts'] {
  const { problems = [], restarts = {} } = known ?? {};
  const isOver = (name: string): boolean =>
    !failing.has(name) && problems.some(({ level, container }) => level === 'Failure' && container === name);
  return Object.fromEntries(Object.entries(restarts).filter(([name]) => !isOver(name)));
}

/** A container fails in one way at a time, besides restarting and not being ready. */
function isSame(one: Problem, other: Problem): boolean {
  const isAlike = one.level === 'Failure' || one.reason === other.reason;
  return one.container === other.container && one.level === other.level && one.told === other.told && isAlike;
}

function startOf(problem: Problem, known: PodState | undefined, now: number): number {
  if (problem.since !== undefined) return Math.min(problem.since, now);
  return known?.problems.find((old) => isSame(problem, old) && (isDue(old, now) || !isDue(problem, now)))?.since ?? now;
}

/** Whether it is a problem already. */
export function isDue({ due }: Problem, now: number): boolean {
  return due === undefined || due <= now;
}

/**
 * A container has recovered when it serves; merely not waiting is part of the crash loop. What has failed for good stays until it
 * is replaced, see {@link withoutFinal}. A warning about restarts ends after a time, see {@link withoutExpired}; that something is
 * not ready, each sighting says anew.
 */
function remainsAfter(problem: Problem, { healthy, ready }: Sighting): boolean {
  if (problem.level === 'Warning') return isRestartWarning(problem);
  if (problem.told === true && problem.container === '') return !ready;
  if (problem.final === true && problem.container === '') return true;
  return problem.container !== '' && !healthy.has(problem.container);
}

function restartsAfter(
  known: PodState['restarts'],
  jumps: Sighting['restarts'],
  now: number,
  rule: RestartRule,
): PodState['restarts'] {
  const names = new Set([...Object.keys(known), ...jumps.keys()]);
  const all = [...names].map(
    (name) => [name, addRestarts(restartTimesOf(known, name), jumps.get(name) ?? 0, now, rule)] as const,
  );
  return Object.fromEntries(all.filter(([, times]) => times.length > 0));
}

/** Only a new restart causes a warning about restarts. */
function warningsOf(
  jumps: Sighting['restarts'],
  restarts: PodState['restarts'],
  rule: RestartRule,
): readonly Problem[] {
  return [...jumps.keys()].flatMap((container) => {
    const { length } = restartTimesOf(restarts, container);
    return length < rule.threshold ? [] : [restartWarning(container)];
  });
}

function withoutFinal(pods: GroupState['pods']): GroupState['pods'] {
  return mapPods(pods, (pod) => ({ ...pod, problems: pod.problems.filter(({ final }) => final !== true) }));
}

/** The group after time has passed without a sighting. */
export function withoutExpired(state: GroupState, now: number, rule: RestartRule): GroupState {
  const isOver = ({ restarts }: PodState, problem: Problem): boolean =>
    isRestartWarning(problem) && warningEndsAt(restartTimesOf(restarts, problem.container), rule) <= now;
  const hasExpired = (pod: PodState): boolean =>
    pod.problems.some((problem) => isOver(pod, problem)) ||
    Object.values(pod.restarts).some(([first = now]) => first <= now - rule.windowMs);
  // Usually nothing has expired, and in a storm this is checked for each of a hundred pods at each of their changes.
  if (!Object.values(state.pods).some(hasExpired)) return state;
  const pods = mapPods(state.pods, (pod) => {
    const problems = pod.problems.filter((problem) => !isOver(pod, problem));
    return { ...pod, problems, restarts: restartsAfter(pod.restarts, new Map(), now, rule) };
  });
  return { ...state, pods };
}

/** The end of a problem that an Event reported, or that was already over when seen, may come without any change. */
const RECHECK_MS = 30_000;

/** When {@link withoutExpired}, or a problem that is not due yet, makes a difference. */
export function nextChangeAt({ pods, alert }: GroupState, now: number, rule: RestartRule): number {
  const times = Object.values(pods).flatMap(({ problems, restarts }) => [
    ...problems.flatMap((problem) => {
      if (isRestartWarning(problem)) return [warningEndsAt(restartTimesOf(restarts, problem.container), rule)];
      if (problem.told === true || problem.brief === true) return [now + RECHECK_MS];
      if (isDue(problem, now)) return [];
      const due = problem.due ?? now;
      return [isCovered(problem, alert) ? Math.max(due, now + RECHECK_MS) : due];
    }),
    ...Object.values(restarts).map((list) => expiresAt(list, rule) ?? Infinity),
  ]);
  return Math.min(Infinity, ...times);
}

/** Whether the alert says no more when the problem is due: a hundred pods need not be looked at once for each of them. */
function isCovered({ level }: Problem, alert: AlertState | undefined): boolean {
  if (alert?.told === undefined || alert.recoveredAt !== undefined) return false;
  return alert.told === 'Failure' || alert.told === level;
}

/** Leaves out the pods about which nothing is left to remember. */
function mapPods(pods: GroupState['pods'], change: (pod: PodState) => PodState): GroupState['pods'] {
  const left = Object.entries(pods).map(([uid, pod]) => [uid, change(pod)] as const);
  return Object.fromEntries(left.filter(([, pod]) => pod.problems.length > 0 || Object.keys(pod.restarts).length > 0));
}
