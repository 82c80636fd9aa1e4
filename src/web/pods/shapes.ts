/** `/status` and `/pod-restart-alerts` in the shapes of OpenShift's Pod Watcher, with a few more members. */
import type { Manifest } from '../../change.ts';
import { lastOccurredAt } from '../../event.ts';
import type { JsonObject } from '../../json.ts';
import { idOf, type AlertStatus, type Finding, type Findings } from './findings.ts';
import { containerStatusesOf, startOf, type ContainerStatus } from './containers.ts';

/** A container of a pod. pod-watcher's names first, then what it did not have. */
export interface PodEntry {
  readonly alertStatus: AlertStatus;
  /** The container's name: pod-watcher called it so. */
  readonly podName: string;
  /** RFC 3339. */
  readonly restarts: readonly string[];
  readonly totalRestartCount: number;
  readonly startTime: string;
  readonly lastUpdateTime: string;
  readonly state: JsonObject;
  readonly namespace: string;
  readonly podLongName: string;
  readonly currentRestarts: number;
  readonly restartsLocal: readonly string[];
  /** For `POST /api/alerts/ack`. */
  readonly id: string;
  readonly reason: string | null;
  /** RFC 3339. */
  readonly startedAt: string | null;
  readonly updatedAt: string;
}

/** `11/20/2026-18:44:27`, in a time zone. */
export type LocalTime = (ms: number) => string;

export function localTimeIn(timeZone: string): LocalTime {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  // Gives `11/20/2026, 18:44:27`: formatToParts takes three times as long, and `/status` has two times per container.
  return (ms) => format.format(ms).replace(', ', '-');
}

/** One for each container, and one without a container for problems of the pod itself. */
export function entriesOf(pod: Manifest, findings: Findings, local: LocalTime): readonly PodEntry[] {
  const { uid = '' } = pod.metadata;
  const own = findings.get(idOf(uid, ''));
  const containers = containerStatusesOf(pod);
  return [
    ...containers.map((container) => entryOf(pod, container, findings.get(idOf(uid, container.name)), local)),
    ...(own === undefined || own.status === 'None' ? [] : [entryOf(pod, undefined, own, local)]),
  ];
}

function entryOf(
  pod: Manifest,
  container: ContainerStatus | undefined,
  finding: Finding | undefined,
  local: LocalTime,
): PodEntry {
  const { name, namespace = '', uid = '' } = pod.metadata;
  const { restarts = [], problem, status = 'None' } = finding ?? {};
  const startedAt = startOf(pod);
  const updatedAt = updatedAtOf(pod, container, finding);
  return {
    alertStatus: status,
    podName: container?.name ?? '',
    restarts: restarts.map(rfc3339),
    totalRestartCount: container?.restarts ?? 0,
    startTime: startedAt === undefined ? '' : local(startedAt),
    lastUpdateTime: local(updatedAt),
    state: container?.state ?? reasonOf(finding),
    namespace,
    podLongName: name,
    currentRestarts: restarts.length,
    restartsLocal: restarts.map(local),
    id: idOf(uid, container?.name ?? ''),
    reason: problem?.reason ?? null,
    startedAt: startedAt === undefined ? null : rfc3339(startedAt),
    updatedAt: rfc3339(updatedAt),
  };
}

/** When the container or its problem last changed, milliseconds since the epoch. */
export function updatedAtOf(
  pod: Manifest,
  container: ContainerStatus | undefined,
  finding: Pick<Finding, 'problem' | 'restarts'> | undefined,
): number {
  const { problem, restarts = [] } = finding ?? {};
  return Math.max(startOf(pod) ?? 0, container?.changedAt ?? 0, problem?.since ?? 0, ...restarts);
}

function reasonOf(finding: Finding | undefined): JsonObject {
  const { reason, message } = finding?.problem ?? {};
  return reason === undefined ? {} : { waiting: { reason, ...(message === undefined ? {} : { message }) } };
}

/** In whole seconds, as Kubernetes and Pod Watcher write times: their readers expect no others. */
function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** The added time is empty if the Event does not say when it happened. */
export function withLocalTime(event: Manifest, local: LocalTime): Manifest {
  const at = lastOccurredAt(event);
  return { ...event, localizedTime: at === undefined ? '' : local(at) };
}
