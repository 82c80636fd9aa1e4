/** Pods of a deployment in the states that a kubelet reports, and nodes. */
import type { Manifest } from '../change.ts';
import type { Json, JsonObject } from '../json.ts';

export interface ContainerParts {
  readonly name?: string;
  readonly state?: JsonObject;
  readonly lastState?: JsonObject;
  readonly restartCount?: number;
  readonly ready?: boolean;
}

export interface PodParts {
  readonly name?: string;
  readonly app?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly phase?: string;
  readonly containers?: readonly ContainerParts[];
  readonly initContainers?: readonly ContainerParts[];
  /** Default: whether all containers are. */
  readonly ready?: boolean;
  readonly conditions?: readonly JsonObject[];
  readonly status?: JsonObject;
  readonly spec?: JsonObject;
  readonly metadata?: JsonObject;
}

const HASH = '5d4f8c7b9';
export const RUNNING: ContainerParts = { state: { running: { startedAt: '2026-01-01T00:00:00Z' } }, ready: true };

/** A container that runs, and whose readiness probe fails. */
export const UNREADY: ContainerParts = { ...RUNNING, ready: false };

/** A waiting container, with the reason that `kubectl get pods` would show. */
export const waiting = (reason: string, more: Partial<ContainerParts> = {}): ContainerParts => ({
  state: { waiting: { reason, message: `back-off: ${reason}` } },
  ...more,
});

export const terminated = (exitCode: number, reason: string): JsonObject => ({ terminated: { exitCode, reason } });

/** A pod `web-HASH-x` of the ReplicaSet `web-HASH`, running and ready by default. */
export function podOf({ app = 'web', namespace = 'shop', ...parts }: PodParts = {}): Manifest {
  const { name = `${app}-${HASH}-x`, containers = [RUNNING], initContainers = [], phase = 'Running' } = parts;
  const ready = parts.ready ?? containers.every((container) => container.ready === true);
  const own: Json[] = [{ type: 'Ready', status: ready ? 'True' : 'False' }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid: parts.uid ?? `uid-${name}`,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { app, 'pod-template-hash': HASH },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-${HASH}`, uid: `uid-${app}`, controller: true },
      ],
      ...parts.metadata,
    },
    spec: {
      nodeName: 'node-1',
      containers: containers.map((container) => ({
        name: container.name ?? 'web',
        image: `registry.example/${app}:1.0`,
      })),
      initContainers: initContainers.map((container) => ({
        name: container.name ?? 'init',
        image: 'registry.example/init:1.0',
      })),
      ...parts.spec,
    },
    status: {
      phase,
      conditions: [...own, ...(parts.conditions ?? [])],
      containerStatuses: containers.map((container) => statusOf(container, 'web')),
      initContainerStatuses: initContainers.map((container) => statusOf(container, 'init')),
      ...parts.status,
    },
  };
}

/** A pod whose only container has restarted this often and runs again. */
export const restarted = (restartCount: number, more: PodParts = {}): Manifest =>
  podOf({ containers: [{ ...RUNNING, restartCount, lastState: terminated(1, 'Error') }], ...more });

/** The condition `Ready` of a pod that runs without being ready since then, as the kubelet writes it. */
export const notReady = (
  lastTransitionTime = '2026-01-01T00:00:00Z',
  message = 'containers with unready status: [web]',
): JsonObject => ({ type: 'Ready', status: 'False', reason: 'ContainersNotReady', message, lastTransitionTime });

/** A pod whose only container is {@link UNREADY}. `conditions` replace the one of {@link notReady}. */
export const unready = ({ conditions = [notReady()], ...more }: PodParts = {}): Manifest =>
  podOf({ containers: [UNREADY], ...more, status: { conditions: [...conditions], ...more.status } });

/** A pod whose only container is killed for its memory again and again. */
export const crashing = (more: PodParts = {}, container: ContainerParts = {}): Manifest =>
  podOf({
    containers: [
      waiting('CrashLoopBackOff', { lastState: terminated(137, 'OOMKilled'), restartCount: 3, ...container }),
    ],
    ...more,
  });

/** A node with this condition `Ready`. */
export const nodeOf = (
  name: string,
  ready: JsonObject,
  { spec, metadata }: Pick<PodParts, 'spec' | 'metadata'> = {},
): Manifest => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, uid: `uid-${name}`, ...metadata },
  ...(spec && { spec }),
  status: { conditions: [{ type: 'Ready', ...ready }] },
});

function statusOf(
  { name, state, lastState, restartCount = 0, ready = false }: ContainerParts,
  called: string,
): JsonObject {
  return {
    name: name ?? called,
    image: 'resolved',
    ready,
    restartCount,
    // The kubelet sets this for each running container without a pending startup probe.
    started: state?.['running'] !== undefined,
    ...(state && { state }),
    ...(lastState && { lastState }),
  };
}
