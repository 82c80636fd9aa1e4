/** The pods that `podAlerts` knows about, for the page and pod-watcher's endpoints. */
import { failingKindOf, type FailingKind } from '../../../handlers/podAlerts/failing-kind.ts';
import { compileMute } from '../../../handlers/podAlerts/mute.ts';
import { rulesOf, type Options } from '../../../handlers/podAlerts/options.ts';
import type { Owner } from '../../../handlers/podAlerts/owner.ts';
import { isRestartWarning } from '../../../handlers/podAlerts/restarts.ts';
import {
  isDue,
  restartTimesOf,
  type GroupState,
  type KnownProblem,
  type PodState,
} from '../../../handlers/podAlerts/state.ts';
import { splitKey } from '../../change.ts';
import type { ChainConfig } from '../../config/config.ts';
import { handlersIn } from '../../config/in-chains.ts';
import type { Store } from '../../store/store.ts';
import type { ReadTimes } from './acknowledged.ts';

/** pod-watcher's terms: `Sent` is a problem that persists but was read. */
export type AlertStatus = 'None' | 'Warning' | 'Failure' | 'Sent';

/** What is known about a container, or, without one, about the pod itself, a node or a job. */
export interface Finding {
  /** The alert's id, for acknowledging it. */
  readonly id: string;
  readonly uid: string;
  readonly kind: FailingKind;
  readonly namespace: string;
  readonly name: string;
  readonly container: string;
  readonly owner: Owner | undefined;
  readonly status: AlertStatus;
  /** Its worst current problem. */
  readonly problem: KnownProblem | undefined;
  /** Unread restarts in the window, milliseconds since the epoch. */
  readonly restarts: readonly number[];
}

/** A `podAlerts` handler in the configuration. */
export interface Watcher {
  readonly id: string;
  readonly options: Options;
}

export function watchersIn(chains: readonly ChainConfig[]): readonly Watcher[] {
  return handlersIn(chains)
    .filter(({ definition }) => definition.name === 'podAlerts')
    .map(({ id, options }) => ({ id, options: options as Options }));
}

/** By {@link Finding.id}; muted ones are left out. */
export type Findings = ReadonlyMap<string, Finding>;

/** What all watchers know at `now`; a pod that two of them watch appears once. */
export async function findingsOf(
  store: Store,
  watchers: readonly Watcher[],
  { now, read }: { readonly now: number; readonly read: ReadTimes },
): Promise<Findings> {
  const all = await Promise.all(
    watchers.map(async (watcher) => {
      const groups = (await store.statesOf(watcher.id)) as readonly GroupState[];
      const judge = judgeOf(watcher.options, now, read);
      return groups.flatMap((group) => findingsIn(group, judge));
    }),
  );
  return new Map(all.flat().map((finding) => [finding.id, finding]));
}

export function idOf(uid: string, container: string): string {
  return `${uid}/${container}`;
}

type Judge = (
  subject: Pick<Finding, 'id' | 'owner'> & { readonly pod: PodState; readonly container: string },
) => Pick<Finding, 'status' | 'problem' | 'restarts'> | undefined;

function findingsIn({ pods, owner }: GroupState, judge: Judge): readonly Finding[] {
  return Object.entries(pods).flatMap(([uid, pod]) => {
    const containers = new Set([...pod.problems.map(({ container }) => container), ...Object.keys(pod.restarts)]);
    return [...containers].flatMap((container): Finding[] => {
      const id = idOf(uid, container);
      const judged = judge({ id, owner, pod, container });
      if (judged === undefined) return [];
      const { namespace = '', name } = splitKey(pod.key);
      const kind = failingKindOf(owner, ...pod.problems);
      return [{ id, uid, kind, namespace, name, container, owner, ...judged }];
    });
  });
}

function judgeOf(options: Options, now: number, read: ReadTimes): Judge {
  const { restarts: rule } = rulesOf(options);
  const mute = compileMute(options.mute);
  return ({ id, owner, pod, container }) => {
    const due = pod.problems.filter((problem) => problem.container === container && isDue(problem, now));
    const unmuted = due.filter(
      (problem) => owner === undefined || mute({ owner, pod: pod.key, problem }, now) === undefined,
    );
    if (due.length > 0 && unmuted.length === 0) return undefined;
    const readAt = read.get(id) ?? 0;
    const inWindow = restartTimesOf(pod.restarts, container).filter((at) => at > now - rule.windowMs);
    const restarts = inWindow.filter((at) => at > readAt);
    const problem = unmuted.find(({ level }) => level === 'Failure') ?? unmuted[0];
    // A warning about restarts is new with the next `threshold` restarts.
    const isNew =
      (problem !== undefined && !isRestartWarning(problem) && problem.since > readAt) ||
      restarts.length >= rule.threshold;
    if (problem === undefined) return { status: 'None', problem, restarts };
    const isRead = readAt > 0 && !isNew;
    return { status: isRead ? 'Sent' : problem.level, problem, restarts };
  };
}

/** Unread failures, unread warnings, then read ones; the most recent first in each. */
export function inOrder(findings: Iterable<Finding>): readonly Finding[] {
  const rank: Readonly<Record<AlertStatus, number>> = { Failure: 0, Warning: 1, Sent: 2, None: 3 };
  return [...findings].toSorted(
    (a, b) => rank[a.status] - rank[b.status] || (b.problem?.since ?? 0) - (a.problem?.since ?? 0),
  );
}
