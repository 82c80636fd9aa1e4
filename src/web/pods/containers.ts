/** What a pod's manifest says about its containers, for tables and endpoints. */
import { containersOf } from '../../../handlers/podAlerts/pod.ts';
import { rows, table, text, time } from '../../../handlers/podAlerts/read.ts';
import type { Manifest } from '../../change.ts';
import type { JsonObject } from '../../json.ts';

export interface ContainerStatus {
  readonly name: string;
  readonly restarts: number;
  /** As in the API: `{ waiting: { reason, message } }`. */
  readonly state: JsonObject;
  /** When it last started or ended, milliseconds since the epoch. */
  readonly changedAt: number | undefined;
}

/** Init containers first. */
export function containerStatusesOf(pod: Manifest): readonly ContainerStatus[] {
  const statuses = [...rows(pod, 'status', 'initContainerStatuses'), ...rows(pod, 'status', 'containerStatuses')];
  return containersOf(pod).map(({ name, restarts }) => {
    const status = statuses.find((one) => text(one, 'name') === name);
    return { name, restarts, state: table(status, 'state'), changedAt: changedAt(status) };
  });
}

function changedAt(status: JsonObject | undefined): number | undefined {
  const times = [
    time(status, 'state', 'running', 'startedAt'),
    time(status, 'state', 'terminated', 'finishedAt'),
    time(status, 'lastState', 'terminated', 'finishedAt'),
  ];
  const known = times.filter((at) => at !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

/** When the kubelet first saw the pod, milliseconds since the epoch. */
export function startOf(pod: Manifest): number | undefined {
  return time(pod, 'status', 'startTime') ?? time(pod, 'metadata', 'creationTimestamp');
}
