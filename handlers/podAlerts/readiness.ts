/** What a manifest says about a pod that runs without being ready. */
import type { Manifest } from '../../src/change.ts';
import { conditionOf, containersOf, hasToEnd, isSidecar, phaseOf, type Container } from './pod.ts';
import { integer, rows, table, text, time } from './read.ts';

export interface Unready {
  /** Undefined if all containers are ready, and the pod's readiness gates are not met. */
  readonly container: Container | undefined;
  /** Since when it is not ready, milliseconds since the epoch. */
  readonly since: number;
  /** When it should have been ready at the earliest. */
  readonly expectedAt: number;
}

/**
 * Empty for a pod that has to end, as a job's does, and for one that is not ready only because of its node: the node controller
 * writes that into the condition of the pod, and leaves those of the containers. A node that was away for an hour and is back has
 * pods that have not been ready for an hour, and that only now start again: hence the condition of the containers counts, too.
 */
export function unreadyOf(pod: Manifest): readonly Unready[] {
  const ready = conditionOf(pod, 'Ready');
  if (phaseOf(pod) !== 'Running' || ready?.status !== 'False' || hasToEnd(pod)) return [];
  const unreadySince = ready.since ?? time(pod, 'metadata', 'creationTimestamp') ?? 0;
  const since = Math.max(unreadySince, sinceOf(pod, 'ContainersReady'));
  const startedAt = Math.max(since, sinceOf(pod, 'Initialized'));
  const containers = containersOf(pod).filter(isUnready);
  if (containers.length > 0)
    return containers.map((container) => ({ container, since, expectedAt: dueStartOf(container, pod, startedAt) }));
  return hasUnmetGate(pod) ? [{ container: undefined, since, expectedAt: since }] : [];
}

/** When the condition last changed; 0 if that is not known. */
function sinceOf(pod: Manifest, type: string): number {
  return conditionOf(pod, type)?.since ?? 0;
}

/** Init containers that are no sidecars, and containers that have finished their work, do not count. */
function isUnready(container: Container): boolean {
  const { init, ready, terminated, restartPolicy } = container;
  if (ready || (init && !isSidecar(container))) return false;
  return terminated?.exitCode !== 0 || restartPolicy === 'Always';
}

/**
 * When it has started, images pulled, and its startup probe has had its time. A restart does not begin this anew, or a container
 * that restarts for ever would never be late: it has the time of the probe from when it was last ready.
 */
function dueStartOf({ name, restarts, startedAt }: Container, pod: Manifest, since: number): number {
  const specs = [...rows(pod, 'spec', 'initContainers'), ...rows(pod, 'spec', 'containers')];
  const spec = specs.find((one) => text(one, 'name') === name);
  const startup = startupMs(table(spec, 'startupProbe'));
  return startedAt === undefined || restarts > 0 ? since + startup : Math.max(since, startedAt + startup);
}

/** How long the kubelet lets a container start; what is missing has the API's default. */
function startupMs(probe: ReturnType<typeof table>): number {
  if (Object.keys(probe).length === 0) return 0;
  const [delay, period, failures] = [
    integer(probe, 'initialDelaySeconds') ?? 0,
    integer(probe, 'periodSeconds') ?? 10,
    integer(probe, 'failureThreshold') ?? 3,
  ];
  return (delay + period * failures) * 1_000;
}

function hasUnmetGate(pod: Manifest): boolean {
  return rows(pod, 'spec', 'readinessGates').some(
    (gate) => conditionOf(pod, text(gate, 'conditionType') ?? '')?.status !== 'True',
  );
}
