/** What an alert says about a failing workload. */
import { createHash } from 'node:crypto';
import { keyOf, splitKey } from '../../src/change.ts';
import { durationInWords } from '../../src/text/duration.ts';
import type { EventLine } from '../../src/enrich/evidence.ts';
import { onOneLine } from '../../src/text/one-line.ts';
import type { Step } from './decide.ts';
import { adviceOn } from './advice.ts';
import { NOT_READY } from './classify.ts';
import { isReadinessFailure } from './event-problem.ts';
import { failingKindOf, type FailingKind } from './failing-kind.ts';
import { groupOf, type Owner } from './owner.ts';
import type { Level, Problem } from './problem.ts';
import { restartTimesOf, type AlertState, type GroupState } from './state.ts';

/** A change of the workload, or of its pods' configuration, before the alert. */
export interface LastChange {
  /** Accepted by `watchchain explain --change`. */
  readonly id: number;
  readonly headline: string;
  /** Managers; empty when it is not known. */
  readonly by: readonly string[];
  /** RFC 3339. */
  readonly time: string;
}

/** What was found out for the readers of the alert. */
export interface Findings {
  readonly events: readonly EventLine[];
  readonly log: string | undefined;
  readonly lastChanges: readonly LastChange[];
}

export interface AlertNote extends Findings {
  readonly status: 'firing' | 'resolved';
  /** Why it is sent now: it is `new`, a warning has become `worse`, it is a `reminder`, or it is `over`. */
  readonly why: 'new' | 'worse' | 'reminder' | 'over';
  readonly level: Level;
  /** The same in every message about a workload, and again the next time it fails. */
  readonly fingerprint: string;
  /** One line for people. */
  readonly headline: string;
  readonly owner: Owner;
  /** `namespace/name` of the pod or job; for a node its name. */
  readonly pod: string;
  /** Undefined if it is the pod's own problem, or a job's. */
  readonly container: string | undefined;
  readonly node: string | undefined;
  readonly image: string | undefined;
  readonly reason: string;
  /** How the container ended last: `OOMKilled`. */
  readonly because: string | undefined;
  readonly exitCode: number | undefined;
  readonly signal: number | undefined;
  readonly message: string | undefined;
  /** Restarts of the container in the window. */
  readonly restarts: number;
  /** RFC 3339. */
  readonly since: string;
  /** How long it has failed, or had when it recovered. */
  readonly durationMs: number;
  /** The most pods of the workload that failed at the same time. */
  readonly pods: number;
  readonly hint: string | undefined;
  /** A command that shows more. */
  readonly kubectl: string;
}

declare module '../../src/change.ts' {
  interface Notes {
    readonly alert: AlertNote;
  }
}

const WHY: Readonly<Record<Exclude<Step, 'quiet'>, AlertNote['why']>> = {
  fire: 'new',
  worse: 'worse',
  remind: 'reminder',
  resolve: 'over',
};

export interface AlertInput {
  readonly step: Exclude<Step, 'quiet'>;
  readonly alert: AlertState;
  readonly state: GroupState;
  readonly owner: Owner;
  readonly clusterId: string;
  readonly now: number;
  /** The text with everything that looks like a secret hidden. */
  readonly redacted: (text: string) => string;
}

export function alertOf(input: AlertInput, findings: Findings): AlertNote {
  const { step, alert, state, owner, clusterId, now, redacted } = input;
  const { lead, pod, uid, node, since, pods } = alert;
  const container = lead.container === '' ? undefined : lead.container;
  const until = step === 'resolve' ? (alert.endedAt ?? alert.recoveredAt ?? now) : now;
  const parts = {
    status: step === 'resolve' ? 'resolved' : 'firing',
    why: WHY[step],
    level: step === 'resolve' ? (alert.worst ?? alert.told ?? lead.level) : lead.level,
    fingerprint: createHash('sha256')
      .update(`${clusterId}|${groupOf(owner)}`)
      .digest('hex')
      .slice(0, 16),
    owner,
    pod,
    container,
    node,
    image: lead.image,
    reason: lead.init === true ? `Init:${lead.reason}` : lead.reason,
    because: lead.because === lead.reason ? undefined : lead.because,
    exitCode: lead.exitCode,
    signal: lead.signal,
    message: messageOf(lead, findings, redacted),
    restarts: restartTimesOf(state.pods[uid]?.restarts ?? {}, lead.container).length,
    since: new Date(since).toISOString(),
    durationMs: Math.max(0, until - since),
    pods,
    ...adviceOn(lead, pod),
  } as const;
  const opening = openingOf(parts, alert.gone === true && ENDING.has(owner.kind));
  return { ...parts, headline: `${opening}${headlineOf(parts, failingKindOf(owner, lead))}`, ...findings };
}

/** Of a pod that is not ready, also what its readiness probe said last: its status does not have that. */
function messageOf({ reason, message }: Problem, { events }: Findings, redacted: AlertInput['redacted']) {
  const probe = reason === NOT_READY ? events.findLast(({ message: said }) => isReadinessFailure(said)) : undefined;
  const parts = [message, probe === undefined ? undefined : onOneLine(probe.message)].filter(
    (part) => part !== undefined,
  );
  return parts.length === 0 ? undefined : redacted(parts.join('; '));
}

type AlertFacts = Omit<AlertNote, 'headline' | keyof Findings>;

/** `CrashLoopBackOff (OOMKilled, exit 137): deployment shop/web, pod web-5x, container web`. */
function headlineOf(alert: AlertFacts, kind: FailingKind): string {
  const { owner, pod, container, reason, because, exitCode, pods, restarts, node } = alert;
  const how = [because, exitCode === undefined ? undefined : `exit ${exitCode}`].filter((part) => part !== undefined);
  const what = how.length === 0 ? reason : `${reason} (${how.join(', ')})`;
  const where = [
    `${owner.kind.toLowerCase()} ${keyOf(owner)}`,
    // A pod may be owned by another pod, as the executors of Spark are by their driver.
    owner.kind === kind && keyOf(owner) === pod ? undefined : `${kind.toLowerCase()} ${splitKey(pod).name}`,
    container === undefined ? undefined : `container ${container}`,
    node === undefined || owner.kind === 'Node' ? undefined : `node ${node}`,
    pods > 1 ? `${pods} pods` : undefined,
    restarts > 1 ? `${restarts} restarts` : undefined,
  ];
  return `${what}: ${where.filter((part) => part !== undefined).join(', ')}`;
}

/** Kinds of owners whose deletion does not mean that the work was done: nothing takes their place. */
const ENDING: ReadonlySet<string> = new Set(['Job', 'CronJob', 'Pod']);

/** @param isGone it is over because it was deleted, as a failed job is after its time to live */
function openingOf({ why, durationMs }: AlertFacts, isGone: boolean): string {
  const lasted = durationInWords(durationMs);
  if (why === 'over') return `${isGone ? 'gone' : 'resolved'} after ${lasted}: `;
  return why === 'reminder' ? `for ${lasted} now: ` : '';
}
