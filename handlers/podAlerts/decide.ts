/** Whether what is known of a workload is to be told, and when to look again. Pure: time is given. */
import { failingKindOf } from './failing-kind.ts';
import type { Level, Problem } from './problem.ts';
import type { RestartRule } from './restarts.ts';
import {
  fails,
  failsIn,
  isDue,
  nextChangeAt,
  type AlertState,
  type GroupState,
  type Known,
  type PodState,
} from './state.ts';

export interface Rules {
  readonly restarts: RestartRule;
  /** Nothing fails for so long before it is called resolved, milliseconds. */
  readonly holdDownMs: number;
  /** What still fails is told again after so long, milliseconds; 0: never. */
  readonly remindMs: number;
}

/** What is to be told of the alert; `quiet`: nothing. */
export type Step = 'fire' | 'worse' | 'remind' | 'resolve' | 'quiet';

export interface Decision {
  readonly step: Step;
  /** The alert that it is about; undefined when there is none. */
  readonly alert: AlertState | undefined;
  readonly state: GroupState;
}

/** Alerts that were resolved so recently and came back are the same trouble. */
const FLAP_WINDOW_MS = 3_600_000;
/** Each time that it came back, the hold-down doubles, up to 64 times. */
const MAX_DOUBLINGS = 6;

/** Whether somebody wants to hear nothing of it. */
export type IsMuted = (failing: { readonly uid: string; readonly pod: string; readonly problem: Problem }) => boolean;

/** Milliseconds since the epoch. */
export interface Times {
  readonly now: number;
  /** Earlier than now where the change has waited: behind one that a receiver did not take, or for a quiet to end. */
  readonly seenAt: number;
}

/** The state that it answers is the one before the alert is told: see {@link told}. */
export function decide(state: GroupState, { now, seenAt }: Times, rules: Rules, isMuted: IsMuted): Decision {
  const worst = worstOf(state, now, isMuted);
  const kept = { ...state, resolved: state.resolved.filter((at) => at > now - FLAP_WINDOW_MS) };
  if (worst === undefined) return whenFine(kept, { now, seenAt }, rules);
  const known = alertWith(kept.alert, worst, failingPods(kept, now).length);
  const step = stepOf(known, now, rules);
  // Who is reminded looks at what fails now: the pod that it began with may be long gone.
  const alert = step === 'remind' && !failsIn(kept, known.uid, now) ? about(known, worst) : known;
  return { step, alert, state: { ...kept, alert } };
}

/** After the alert was told. A resolved one is remembered as such only. */
export function told(state: GroupState, step: Step, now: number): GroupState {
  const { alert, ...rest } = state;
  if (alert === undefined || step === 'quiet') return state;
  if (step === 'resolve') return { ...rest, resolved: [...rest.resolved, now].slice(-MAX_DOUBLINGS) };
  return { ...rest, alert: { ...alert, told: alert.lead.level, toldAt: now } };
}

/** When to look again though nothing is seen; undefined when nothing is left to wait for. */
export function nextAt(state: GroupState, now: number, rules: Rules): number | undefined {
  const { recoveredAt, toldAt } = state.alert ?? {};
  const endsAt = recoveredAt === undefined ? Infinity : recoveredAt + holdDownMs(state, rules);
  const remindAt = toldAt === undefined || rules.remindMs === 0 ? Infinity : toldAt + rules.remindMs;
  // One that is due already is held back by a mute, which says itself when to ask again.
  const alertAt = Math.min(endsAt, recoveredAt === undefined && remindAt > now ? remindAt : Infinity);
  const forgottenAt = (state.resolved.at(-1) ?? Infinity) + FLAP_WINDOW_MS;
  const at = Math.min(alertAt, forgottenAt, nextChangeAt(state, now, rules.restarts));
  return Number.isFinite(at) ? Math.max(at, now + 1) : undefined;
}

function holdDownMs({ resolved }: GroupState, rules: Rules): number {
  return rules.holdDownMs * 2 ** Math.min(resolved.length, MAX_DOUBLINGS);
}

function whenFine(state: GroupState, { now, seenAt }: Times, rules: Rules): Decision {
  const { alert, ...rest } = state;
  // What was never told needs no end.
  if (alert?.told === undefined) return { step: 'quiet', alert: undefined, state: rest };
  const recovered = { endedAt: seenAt, recoveredAt: now, ...alert };
  const isOver = now >= recovered.recoveredAt + holdDownMs(state, rules);
  return { step: isOver ? 'resolve' : 'quiet', alert: recovered, state: { ...rest, alert: recovered } };
}

interface Worst {
  readonly uid: string;
  readonly pod: PodState;
  readonly problem: Known;
}

/**
 * A failure before a warning, then what began first. What is muted hides nothing of what else fails, and keeps no alert from its end
 * but one that is muted itself.
 */
function worstOf(state: GroupState, now: number, isMuted: IsMuted): Worst | undefined {
  const all = Object.entries(state.pods)
    .flatMap(([uid, pod]) =>
      pod.problems.filter((problem) => isDue(problem, now)).map((problem): Worst => ({ uid, pod, problem })),
    )
    .toSorted(({ problem: a }, { problem: b }) => rankOf(b.level) - rankOf(a.level) || a.since - b.since);
  const { alert } = state;
  const loud = all.find(({ uid, pod, problem }) => !isMuted({ uid, pod: pod.key, problem }));
  if (loud !== undefined || alert?.told === undefined) return loud ?? all[0];
  return isMuted({ uid: alert.uid, pod: alert.pod, problem: alert.lead }) ? all[0] : undefined;
}

function failingPods({ pods, owner }: GroupState, now: number): readonly PodState[] {
  return Object.values(pods).filter((pod) => fails(pod, now) && failingKindOf(owner, ...pod.problems) !== 'Job');
}

/** What it began with stays its subject, so that each message names the same, until it grows from a warning to a failure. */
function alertWith(alert: AlertState | undefined, worst: Worst, pods: number): AlertState {
  const { problem, pod, uid } = worst;
  const most = Math.max(pods, alert?.pods ?? 0);
  const begun = { since: problem.since, lead: problem, pod: pod.key, uid, pods: most };
  if (alert?.told === undefined) return about(begun, worst);
  const { endedAt: _, recoveredAt: __, ...known } = alert;
  const isSame = alert.lead.level === problem.level || alert.lead.level === 'Failure';
  return isSame ? { ...known, pods: most } : about({ ...known, pods: most }, worst);
}

/** Its node and its labels are the pod's: another one has its own. */
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

/** Nothing is left to remember. */
export function isForgotten({ pods, alert, resolved }: GroupState): boolean {
  return alert === undefined && resolved.length === 0 && Object.keys(pods).length === 0;
}
