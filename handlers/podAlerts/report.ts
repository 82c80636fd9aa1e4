/** From the decision to the message: mutes, findings, the note. */
import { groupVersionOf, keyOf, manifestOf, type Change, type Manifest } from '../../src/change.ts';
import { halt, type Halt, type StatefulContext } from '../../src/chain/handler.ts';
import type { Evidence } from '../../src/enrich/evidence.ts';
import type { Json } from '../../src/json.ts';
import { alertOf } from './alert.ts';
import { decide, markReported, type Decision, type IsMuted, type Rules } from './decide.ts';
import { findingsOn, NOTHING_FOUND } from './findings.ts';
import { mutedBy, type Muted, type MuteSubject } from './mute.ts';
import { failingKindOf, findInBaseline } from './failing-kind.ts';
import type { Options } from './options.ts';
import type { Owner } from './owner.ts';
import { conditionOf } from './pod.ts';
import type { AlertState, GroupState } from './state.ts';
import { selectableParts, alertChange } from './subject.ts';

export interface ReportInput {
  readonly options: Options;
  readonly rules: Rules;
  readonly mute: (subject: MuteSubject, now: number) => Muted | undefined;
  readonly owner: Owner;
}

export interface Report {
  readonly verdict: Change | Halt;
  readonly state: GroupState;
  /** When to ask again whether it may be sent, milliseconds since the epoch. */
  readonly recheckAt?: number;
}

type Context = Pick<StatefulContext<Json>, 'evidence' | 'signal' | 'now'>;

/** Somebody may remove a mute early, which need not be a change that comes here. */
const RECHECK_MS = 60_000;

function recheckTimeOf({ until = Infinity }: Muted, now: number): number {
  return Math.min(until, now + RECHECK_MS);
}

/** Sends the first problem that may be sent: a pod that is muted or on a dead node does not hide the others. */
export async function reportWorst(
  change: Change,
  state: GroupState,
  input: ReportInput,
  context: Context,
): Promise<Report> {
  const { now } = context;
  const times = { now, observedAt: change.action === 'timer' ? now : Math.min(change.observedAt, now) };
  let recheckAt = Infinity;
  let skipped: ReadonlySet<string> = new Set();
  const isMuted: IsMuted = ({ uid, pod, problem }) => {
    const muted = input.mute({ owner: input.owner, pod, problem }, now);
    if (muted !== undefined) recheckAt = Math.min(recheckAt, recheckTimeOf(muted, now));
    return muted !== undefined || skipped.has(uid);
  };
  for (;;) {
    const decision = decide(state, times, input.rules, isMuted);
    const report = await reportAlert(change, decision, input, context);
    recheckAt = Math.min(recheckAt, report.recheckAt ?? Infinity);
    const uid = decision.alert?.uid ?? '';
    if (report.recheckAt === undefined || skipped.has(uid)) return { ...report, recheckAt };
    // Only a wake-up checks all pods: in a storm, each change of one would ask for a hundred.
    const tried =
      change.action === 'timer' ? [...skipped, uid] : Object.keys(state.pods).filter((one) => one !== change.uid);
    skipped = new Set([...tried, uid]);
  }
}

async function reportAlert(
  change: Change,
  { step, alert, state }: Decision,
  input: ReportInput,
  context: Context,
): Promise<Report> {
  if (step === 'quiet' || alert === undefined) {
    return { verdict: halt(alert === undefined ? 'nothing fails' : quietReason(alert)), state };
  }
  const { evidence, now } = context;
  const { owner, options } = input;
  const manifest = await manifestFor(change, alert, owner, evidence);
  const silence = step === 'resolve' ? undefined : await findMute(alert, manifest, input, context);
  if (silence !== undefined) {
    return { verdict: halt(silence.reason), state, recheckAt: recheckTimeOf(silence, now) };
  }
  const { pod, uid, lead, since } = alert;
  const search = { owner, pod, uid, lead, manifest, since };
  const findings = step === 'resolve' ? NOTHING_FOUND : await findingsOn(search, options, evidence, context.signal);
  const redacted = (text: string): string => evidence.redacted(text);
  const note = alertOf({ step, alert, state, owner, clusterId: change.cluster.id, now, redacted }, findings);
  const known = manifest === undefined ? alert : { ...alert, manifest: selectableParts(manifest) };
  return { verdict: alertChange(change, known, note), state: markReported({ ...state, alert: known }, step, now) };
}

function quietReason({ recoveredAt, lead }: AlertState): string {
  return recoveredAt === undefined
    ? `${lead.reason} was already reported`
    : 'it may have recovered: waiting for holdDown';
}

/** The change's own manifest, or that of the pod in the baseline. */
async function manifestFor(
  change: Change,
  { pod, uid, lead }: AlertState,
  owner: Owner,
  evidence: Evidence,
): Promise<Manifest | undefined> {
  const own = manifestOf(change);
  if (own?.metadata.uid === uid) return own;
  const held = await findInBaseline(failingKindOf(owner, lead), pod, evidence);
  return held?.metadata.uid === uid ? held : undefined;
}

async function findMute(
  alert: AlertState,
  manifest: Manifest | undefined,
  { mute, owner }: ReportInput,
  { evidence, now }: Context,
): Promise<Muted | undefined> {
  const configured = mute({ owner, pod: alert.pod, problem: alert.lead }, now);
  if (configured !== undefined) return configured;
  const resource = RESOURCES[owner.kind];
  const workload =
    resource === undefined
      ? undefined
      : await evidence.held(groupVersionOf(owner.apiVersion).group, resource, keyOf(owner));
  return mutedBy([manifest, workload], now) ?? (await deadNode(alert, owner, evidence));
}

/** A node that is down is an alert of its own if nodes are watched, so failures on it are not reported separately. */
async function deadNode({ node }: AlertState, owner: Owner, evidence: Evidence): Promise<Muted | undefined> {
  if (node === undefined || owner.kind === 'Node') return undefined;
  const held = await evidence.held('', 'nodes', node);
  const ready = held === undefined ? undefined : conditionOf(held, 'Ready');
  if (ready === undefined || ready.status === 'True') return undefined;
  return { reason: `node ${node} is not ready, which has an alert of its own`, until: undefined };
}

/** Plurals of the kinds that own pods and may carry the annotation. */
const RESOURCES: Readonly<Record<string, string>> = {
  Deployment: 'deployments',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
  ReplicaSet: 'replicasets',
  ReplicationController: 'replicationcontrollers',
  Job: 'jobs',
  CronJob: 'cronjobs',
  DeploymentConfig: 'deploymentconfigs',
  Rollout: 'rollouts',
};
