/** Decides whether to alert about a workload, and when to look again. Pure: time is passed in. */
import { NOT_READY } from './classify.ts';
import { failingKindOf } from './failing-kind.ts';
import type { Level, Problem } from './problem.ts';
import type { RestartRule } from './restarts.ts';
import {
  isFailing,
  isLeadFailing,
  isDue,
  nextChangeAt,
  type AlertState,
  type GroupState,
  type KnownProblem,
  type PodState,
} from './state.ts';

export interface Rules {
  readonly restarts: RestartRule;
  /** How long nothing may fail before the alert is resolved, milliseconds. */
  readonly holdDownMs: number;
  /** After how long to remind of what still fails, milliseconds; 0: never. */
  readonly remindMs: number;
}

/** Which message to send about the alert; `quiet`: none. */
export type Step = 'fire' | 'worse' | 'remind' | 'resolve' | 'quiet';

export interface Decision {
  readonly step: Step;
  /** The alert it concerns; undefined if there is none. */
  readonly alert: AlertState | undefined;
  readonly state: GroupState;
}

/** An alert that comes back within this time of being resolved is the same trouble, however long it then lasts. */
const FLAP_WINDOW_MS = 3_600_000;
/** How often the pods of an open alert are checked at least: their end may not have come here, see recheck.ts. */
const CHECK_EVERY_MS = 4 * 3_600_000;
/** The hold-down doubles each time it comes back, up to 64-fold. */
const MAX_DOUBLINGS = 6;

/** Whether the problem is muted. */
export type IsMuted = (failing: { readonly uid: string; readonly pod: string; readonly problem: Problem }) => boolean;

/** Milliseconds since the epoch. */
export interface Times {
  readonly now: number;
  /** Earlier than now if the change had to wait: behind one that a receiver did not accept, or for a quiet to end. */
  readonly observedAt: number;
}

/** Returns the state before the message is sent; see {@link markReported} for the one after. */
export function decide(state: GroupState, { now, observedAt }: Times, rules: Rules, isMuted: IsMuted): Decision {
  const worst = worstOf(state, now, isMuted);
  const kept = state.alert === undefined ? withoutOldEnds(state, now) : state;
  if (worst === undefined) return decideRecovery(kept, { now, observedAt }, rules);
  const known = updateAlert(kept.alert, worst, failingPods(kept, now).length);
  const step = stepOf(known, now, rules);
  // A reminder is about what fails now: the first pod may be long gone, or its first problem, or muted unlike another.
  const isOutdated = (): boolean =>
    !isLeadFailing(kept, known, now) || (isLeadMuted(known, isMuted) && !isWorstMuted(worst, isMuted));
  const alert = step === 'remind' && isOutdated() ? about(known, worst) : known;
  return { step, alert, state: { ...kept, alert } };
}

/** The state after the message was sent. Of a resolved alert only the time is kept. */
export function markReported(state: GroupState, step: Step, now: number): GroupState {
  const { alert, ...rest } = state;
  if (alert === undefined || step === 'quiet') return state;
  if (step === 'resolve') return { ...rest, resolved: [...rest.resolved, now].slice(-MAX_DOUBLINGS) };
  const { told = alert.lead.level, worst = told } = alert;
  const sent = { ...alert, told: alert.lead.level, toldAt: now };
  return { ...rest, alert: rankOf(worst) > rankOf(sent.told) ? { ...sent, worst } : sent };
}

/** When to look again without a change; undefined if there is nothing left to wait for. */
export function nextWakeAt(state: GroupState, now: number, rules: Rules): number | undefined {
  const { recoveredAt, toldAt } = state.alert ?? {};
  const heldUntil = recoveredAt === undefined ? Infinity : recoveredAt + holdDownMs(state, rules);
  // After that, it waits for a pod: see waitingPods.
  const endsAt = heldUntil > now ? heldUntil : Infinity;
  const remindAt = toldAt === undefined || rules.remindMs === 0 ? Infinity : toldAt + rules.remindMs;
  // A reminder that is already due is held back by a mute, which itself says when to ask again.
  const openAt = Math.min(remindAt > now ? remindAt : Infinity, nextCheckAt(toldAt, now));
  const alertAt = Math.min(endsAt, recoveredAt === undefined ? openAt : Infinity);
  const forgottenAt = state.alert === undefined ? (state.resolved.at(-1) ?? Infinity) + FLAP_WINDOW_MS : Infinity;
  const at = Math.min(alertAt, forgottenAt, nextChangeAt(state, now, rules.restarts));
  return Number.isFinite(at) ? Math.max(at, now + 1) : undefined;
}

/** At fixed times, so that changes of other pods do not put it off. */
function nextCheckAt(toldAt: number | undefined, now: number): number {
  if (toldAt === undefined) return Infinity;
  return toldAt + CHECK_EVERY_MS * (Math.floor(Math.max(0, now - toldAt) / CHECK_EVERY_MS) + 1);
}

function withoutOldEnds(state: GroupState, now: number): GroupState {
  return { ...state, resolved: state.resolved.filter((at) => at > now - FLAP_WINDOW_MS) };
}

function holdDownMs({ resolved }: GroupState, rules: Rules): number {
  return rules.holdDownMs * 2 ** Math.min(resolved.length, MAX_DOUBLINGS);
}

function decideRecovery(state: GroupState, { now, observedAt }: Times, rules: Rules): Decision {
  const { alert, ...rest } = state;
  // An alert that was never sent is not resolved either.
  if (alert?.told === undefined) return { step: 'quiet', alert: undefined, state: rest };
  const recovered = { endedAt: observedAt, recoveredAt: now, ...alert };
  const heldUntil = recovered.recoveredAt + holdDownMs(state, rules);
  const waiting = alert.lead.reason === NOT_READY ? waitingPods(state, heldUntil, now) : [];
  if (waiting.length > 0) {
    const { endedAt: _, recoveredAt, ...open } = recovered;
    // The pod of the alert has to stay ready for the hold-down, however often it flaps.
    const awaited = waiting.includes(alert.uid) ? open : { ...open, recoveredAt };
    return { step: 'quiet', alert: awaited, state: { ...rest, alert: awaited } };
  }
  return { step: now >= heldUntil ? 'resolve' : 'quiet', alert: recovered, state: { ...rest, alert: recovered } };
}

/**
 * The uids of those that may still prove that an alert about readiness is not over: a pod that flaps, or of the next rollout. Only
 * those that began to start `until` the end of the hold-down, as in a large workload some pod is always starting.
 */
function waitingPods({ pods }: GroupState, until: number, now: number): readonly string[] {
  const isWaiting = ({ problems }: PodState): boolean =>
    problems.some((problem) => problem.since <= until && !isDue(problem, now));
  return Object.keys(pods).filter((uid) => pods[uid] !== undefined && isWaiting(pods[uid]));
}

interface Worst {
  readonly uid: string;
  readonly pod: PodState;
  readonly problem: KnownProblem;
}

/**
 * Failures before warnings, then whatever began first. A muted problem does not hide others, and keeps an alert from being
 * resolved only if that alert is muted itself.
 */
function worstOf(state: GroupState, now: number, isMuted: IsMuted): Worst | undefined {
  const all = Object.entries(state.pods)
    .flatMap(([uid, pod]) =>
      pod.problems.filter((problem) => isDue(problem, now)).map((problem): Worst => ({ uid, pod, problem })),
    )
    .toSorted(({ problem: a }, { problem: b }) => rankOf(b.level) - rankOf(a.level) || a.since - b.since);
  const { alert } = state;
  const unmuted = all.find((one) => !isWorstMuted(one, isMuted));
  if (unmuted !== undefined || alert?.told === undefined) return unmuted ?? all[0];
  return isLeadMuted(alert, isMuted) ? all[0] : undefined;
}

function isWorstMuted({ uid, pod, problem }: Worst, isMuted: IsMuted): boolean {
  return isMuted({ uid, pod: pod.key, problem });
}

function isLeadMuted({ uid, pod, lead }: AlertState, isMuted: IsMuted): boolean {
  return isMuted({ uid, pod, problem: lead });
}

function failingPods({ pods, owner }: GroupState, now: number): readonly PodState[] {
  return Object.values(pods).filter((pod) => isFailing(pod, now) && failingKindOf(owner, ...pod.problems) !== 'Job');
}

/** The first problem stays the subject, so that all messages name the same one, until a warning becomes a failure. */
function updateAlert(alert: AlertState | undefined, worst: Worst, pods: number): AlertState {
  const { problem, pod, uid } = worst;
  const most = Math.max(pods, alert?.pods ?? 0);
  const begun = { since: problem.since, lead: problem, pod: pod.key, uid, pods: most };
  if (alert?.told === undefined) return about(begun, worst);
  const { endedAt: _, recoveredAt: __, gone: ___, ...known } = alert;
  const isSame = alert.lead.level === problem.level || alert.lead.level === 'Failure';
  return isSame ? { ...known, pods: most } : about({ ...known, pods: most }, worst);
}

/** Makes the problem the subject of the alert. Node and manifest belong to the previous pod and are dropped. */
function about(alert: AlertState, { uid, pod, problem }: Worst): AlertState {
  const { node: _, manifest: __, ...known } = alert;
  const placed = { ...known, lead: problem, pod: pod.key, uid };
  return pod.node === undefined ? placed : { ...placed, node: pod.node };
}

function stepOf({ told: level, toldAt = 0, lead }: AlertState, now: number, { remindMs }: Rules): Step {
  if (level === undefined) return 'fire';
  if (rankOf(lead.level) > rankOf(level)) return 'worse';
  return remindMs > 0 && now >= toldAt + remindMs ? 'remind' : 'quiet';
}

function rankOf(level: Level): number {
  return level === 'Failure' ? 2 : 1;
}

/** Whether nothing is left to remember. */
export function canForget({ pods, alert, resolved }: GroupState): boolean {
  return alert === undefined && resolved.length === 0 && Object.keys(pods).length === 0;
}
