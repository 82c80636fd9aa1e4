/** What a manifest says about a pod that runs without being ready. */
import type { Manifest } from '../../src/change.ts';
import { conditionOf, containersOf, hasToEnd, isSidecar, phaseOf, type Container } from './pod.ts';
import { integer, rows, table, text, time } from './read.ts';

export interface Unready {
  /** Undefined if all containers are ready, and the pod's readiness gates are not met. */
  readonly container: Container | undefined;
  /** When it should have been ready at the earliest, milliseconds since the epoch. */
  readonly since: number;
}

/**
 * Empty for a pod that has to end, as a job's does, and for one that is not ready only because of its node: the node controller
 * writes that into the condition of the pod, and leaves those of the containers.
 */
export function unreadyOf(pod: Manifest): readonly Unready[] {
  const ready = conditionOf(pod, 'Ready');
  if (phaseOf(pod) !== 'Running' || ready?.status !== 'False' || hasToEnd(pod)) return [];
  const since = ready.since ?? time(pod, 'metadata', 'creationTimestamp') ?? 0;
  const containers = containersOf(pod).filter(isUnready);
  if (containers.length > 0)
    return containers.map((container) => ({ container, since: Math.max(since, dueStartOf(container, pod)) }));
  const containersReady = conditionOf(pod, 'ContainersReady')?.since ?? 0;
  return hasUnmetGate(pod) ? [{ container: undefined, since: Math.max(since, containersReady) }] : [];
}

/** Init containers that are no sidecars, and containers that have finished their work, do not count. */
function isUnready(container: Container): boolean {
  const { init, ready, terminated, restartPolicy } = container;
  if (ready || (init && !isSidecar(container))) return false;
  return terminated?.exitCode !== 0 || restartPolicy === 'Always';
}

/** When it started, images pulled, and its startup probe has had its time. A restart does not begin this anew. */
function dueStartOf({ name, restarts, startedAt }: Container, pod: Manifest): number {
  if (startedAt === undefined || restarts > 0) return 0;
  const specs = [...rows(pod, 'spec', 'initContainers'), ...rows(pod, 'spec', 'containers')];
  const spec = specs.find((one) => text(one, 'name') === name);
  return startedAt + startupMs(table(spec, 'startupProbe'));
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
