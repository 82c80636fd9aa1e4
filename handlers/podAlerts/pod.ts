/** What a pod's manifest says about its containers and its state. */
import type { Manifest } from '../../src/change.ts';
import { isList, type JsonObject } from '../../src/json.ts';
import { integer, rows, table, text, time } from './read.ts';

/** How a container ended. */
export interface Exit {
  /** `OOMKilled`, `Error`, `Completed`. */
  readonly reason: string;
  readonly exitCode: number;
  /** Undefined: it was not ended by a signal, or that is not known. */
  readonly signal: number | undefined;
  readonly message: string | undefined;
  /** How long it ran; undefined: not known. */
  readonly ranMs: number | undefined;
  /** Milliseconds since the epoch; undefined: not known. */
  readonly endedAt: number | undefined;
}

export interface Container {
  readonly name: string;
  readonly init: boolean;
  /** As written in the pod's spec. */
  readonly image: string | undefined;
  /** `Always`, `OnFailure` or `Never`: from its restart rules for how it ended, its own policy, or the pod's as applied to it. */
  readonly restartPolicy: string;
  readonly restarts: number;
  readonly state: 'waiting' | 'running' | 'terminated' | 'unknown';
  /** Why it waits. */
  readonly waiting: { readonly reason: string; readonly message: string | undefined } | undefined;
  readonly terminated: Exit | undefined;
  /** How its predecessor ended. */
  readonly last: Exit | undefined;
  /** When it last started, milliseconds since the epoch; undefined unless it runs. */
  readonly startedAt: number | undefined;
  /** It serves; of a sidecar, too, that its readiness probe succeeds. */
  readonly ready: boolean;
  /** It serves, or has finished its work. */
  readonly healthy: boolean;
}

/** Init containers first, each in the order of the spec. Ephemeral containers are left out: they are for debugging. */
export function containersOf(pod: Manifest): readonly Container[] {
  const listed = (statuses: string, specs: string, init: boolean): Container[] =>
    inOrderOf(rows(pod, 'spec', specs), rows(pod, 'status', statuses)).map((status) => {
      const spec = rows(pod, 'spec', specs).find(({ name }) => name === status['name']);
      const exitCode = integer(status, 'state', 'terminated', 'exitCode');
      const restartPolicy = isRestartedByRule(spec, exitCode) ? 'Always' : policyOf(pod, init, spec);
      return containerOf(status, init, { image: text(spec, 'image'), restartPolicy });
    });
  return [
    ...listed('initContainerStatuses', 'initContainers', true),
    ...listed('containerStatuses', 'containers', false),
  ];
}

/** The kubelet sorts statuses by name. */
function inOrderOf(specs: readonly JsonObject[], statuses: readonly JsonObject[]): readonly JsonObject[] {
  const places = new Map(specs.map(({ name }, place) => [name, place]));
  const placeOf = ({ name }: JsonObject): number => places.get(name) ?? specs.length;
  return statuses.toSorted((a, b) => placeOf(a) - placeOf(b));
}

/** A finished init container is not started again, unless it is a sidecar, which has a policy of its own. */
function policyOf(pod: Manifest, init: boolean, spec: JsonObject | undefined): string {
  const pods = text(pod, 'spec', 'restartPolicy') ?? 'Always';
  return text(spec, 'restartPolicy') ?? (init && pods === 'Always' ? 'OnFailure' : pods);
}

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restart-rules */
function isRestartedByRule(spec: JsonObject | undefined, exitCode: number | undefined): boolean {
  if (exitCode === undefined) return false;
  const rule = rows(spec, 'restartPolicyRules').find((one) => {
    const { operator, values } = table(one, 'exitCodes');
    return isList(values) && values.includes(exitCode) === (operator === 'In');
  });
  return rule?.['action'] === 'Restart';
}

/** An init container that runs for as long as the pod does. */
export function isSidecar({ init, restartPolicy }: Container): boolean {
  return init && restartPolicy === 'Always';
}

type ContainerSpec = Pick<Container, 'restartPolicy'> & { readonly image: string | undefined };

function containerOf(status: JsonObject, init: boolean, { image, restartPolicy }: ContainerSpec): Container {
  const { waiting, running, terminated } = table(status, 'state');
  const reason = text(waiting, 'reason');
  const exit = exitOf(table(terminated));
  const ready = status['ready'] === true;
  return {
    name: text(status, 'name') ?? '',
    init,
    image: image ?? text(status, 'image'),
    restartPolicy,
    restarts: integer(status, 'restartCount') ?? 0,
    state: waiting ? 'waiting' : running ? 'running' : terminated ? 'terminated' : 'unknown',
    waiting: reason === undefined ? undefined : { reason, message: text(waiting, 'message') },
    terminated: exit,
    last: exitOf(table(status, 'lastState', 'terminated')),
    startedAt: time(running, 'startedAt'),
    ready,
    healthy: running ? ready || (init && status['started'] === true) : exit?.exitCode === 0,
  };
}

/** Undefined for an empty table. */
function exitOf(terminated: JsonObject): Exit | undefined {
  if (Object.keys(terminated).length === 0) return undefined;
  const exitCode = integer(terminated, 'exitCode') ?? 0;
  const reported = integer(terminated, 'signal');
  const [startedAt, finishedAt] = [time(terminated, 'startedAt'), time(terminated, 'finishedAt')];
  return {
    reason: text(terminated, 'reason') ?? (exitCode === 0 ? 'Completed' : 'Error'),
    exitCode,
    // The shell's convention, which runtimes follow: 128 plus the signal.
    signal: reported ?? (exitCode > 128 && exitCode < 160 ? exitCode - 128 : undefined),
    message: text(terminated, 'message'),
    ranMs: startedAt === undefined || finishedAt === undefined ? undefined : finishedAt - startedAt,
    endedAt: finishedAt,
  };
}

export interface Condition {
  readonly status: string | undefined;
  readonly reason: string | undefined;
  readonly message: string | undefined;
  readonly since: number | undefined;
}

/** Of a pod or a node. */
export function conditionOf(object: Manifest, type: string): Condition | undefined {
  const found = rows(object, 'status', 'conditions').find((condition) => condition['type'] === type);
  if (found === undefined) return undefined;
  return {
    status: text(found, 'status'),
    reason: text(found, 'reason'),
    message: text(found, 'message'),
    since: time(found, 'lastTransitionTime'),
  };
}

export function isReady(object: Manifest): boolean {
  return conditionOf(object, 'Ready')?.status === 'True';
}

/** As a job's does: being ready is not what it is for. */
export function hasToEnd(pod: Manifest): boolean {
  return (text(pod, 'spec', 'restartPolicy') ?? 'Always') !== 'Always';
}

export function phaseOf(pod: Manifest): string | undefined {
  return text(pod, 'status', 'phase');
}

/** Why nothing that happens to it now is news: it is being deleted, has done its work, or was evicted on purpose. */
export function expectedEndOf(pod: Manifest): string | undefined {
  if (text(pod, 'metadata', 'deletionTimestamp') !== undefined) return 'it is being deleted';
  if (phaseOf(pod) === 'Succeeded') return 'it has completed';
  const disruption = conditionOf(pod, 'DisruptionTarget');
  if (disruption?.status === 'True' && EXPECTED_DISRUPTIONS.has(disruption.reason ?? '')) return disruption.reason;
  if (phaseOf(pod) !== 'Failed') return undefined;
  const { reason, message = '' } = failureOfPod(pod);
  return EXPECTED_REASONS.has(reason ?? '') || EXPECTED_TERMINATION.test(message) ? reason : undefined;
}

/** Why the pod as a whole has failed, if it says so. */
export function failureOfPod(pod: Manifest): Pick<Condition, 'reason' | 'message'> {
  const own = { reason: text(pod, 'status', 'reason'), message: text(pod, 'status', 'message') };
  if (own.reason !== undefined) return own;
  // A later status of the containers may overwrite the reason, but not this condition: https://github.com/kubernetes/kubernetes/issues/105467.
  const { status, reason, message } = conditionOf(pod, 'DisruptionTarget') ?? {};
  return status === 'True' && reason === 'TerminationByKubelet' ? { reason: 'Evicted', message } : own;
}

/** In the words of the kubelet, where the reason is lost. */
const EXPECTED_TERMINATION =
  /^(?:Pod was terminated in response to imminent node shutdown|Preempted in order to admit critical pod)/;

/** https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions; a dead node is its own alert. */
const EXPECTED_DISRUPTIONS: ReadonlySet<string> = new Set([
  'PreemptionByScheduler',
  'DeletionByTaintManager',
  'EvictionByEvictionAPI',
  'DeletionByPodGC',
]);

/** What the kubelet and the node controller write when a node shuts down, is lost, or needs room for a critical pod. */
const EXPECTED_REASONS: ReadonlySet<string> = new Set([
  'NodeShutdown',
  'Shutdown',
  'Terminated',
  'NodeLost',
  'Preempting',
  'Preempted',
]);
