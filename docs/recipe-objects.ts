/** The objects that the recipes are about, as their controllers write them. */
import type { Manifest } from '../src/change.ts';

export const object = (kind: string, name: string, namespace: string | undefined, more: object = {}): Manifest => ({
  apiVersion: kind === 'Deployment' ? 'apps/v1' : 'v1',
  kind,
  ...more,
  metadata: {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...('metadata' in more ? (more.metadata as object) : {}),
  },
});

export const lock = (renewed: string, settings: string): Manifest =>
  object('ConfigMap', 'lock', 'shop', {
    metadata: { annotations: { 'control-plane.alpha.kubernetes.io/leader': renewed } },
    data: { settings },
  });

export const rollout = (image: string, replicas: number, reason: string, status = 'True'): Manifest =>
  object('Deployment', 'web', 'shop', {
    spec: { replicas, template: { spec: { containers: [{ name: 'web', image }] } } },
    status: {
      conditions: [
        { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' },
        { type: 'Progressing', status, reason, message: `ReplicaSet "web-1": ${reason}` },
      ],
    },
  });

/** As the deployment controller leaves it: it writes the revision, and which generation it has seen. */
export const revision = (
  n: number,
  image: string,
  { observed, reason, replicas = 3, status = 'True' }: Progress,
): Manifest =>
  object('Deployment', 'web', 'shop', {
    metadata: { annotations: { 'deployment.kubernetes.io/revision': `${n}` } },
    spec: { replicas, template: { spec: { containers: [{ name: 'web', image }] } } },
    status: { observedGeneration: observed, conditions: [{ type: 'Progressing', status, reason }] },
  });

interface Progress {
  readonly observed: number;
  readonly reason: string;
  readonly replicas?: number;
  readonly status?: string;
}

export const autoscaler = (reason: string, maxReplicas: number): Manifest =>
  object('HorizontalPodAutoscaler', 'web', 'shop', {
    apiVersion: 'autoscaling/v2',
    spec: { maxReplicas },
    status: { conditions: [{ type: 'ScalingLimited', status: 'True', reason }] },
  });

export const deployment = (image: string, replicas: number): Manifest =>
  object('Deployment', 'web', 'shop', {
    spec: { replicas, template: { spec: { containers: [{ name: 'web', image }] } } },
  });

export const HELM_RELEASES = {
  group: 'helm.toolkit.fluxcd.io',
  version: 'v2',
  resource: 'helmreleases',
  kind: 'HelmRelease',
  namespaced: true,
};

export const release = (status: string, message: string): Manifest => ({
  apiVersion: 'helm.toolkit.fluxcd.io/v2',
  kind: 'HelmRelease',
  metadata: { name: 'web', namespace: 'shop' },
  status: { conditions: [{ type: 'Ready', status, message, lastTransitionTime: message }] },
});

export const node = (unschedulable: boolean, pressure: string, heartbeat: string): Manifest =>
  object('Node', 'node-1', undefined, {
    spec: unschedulable ? { unschedulable } : {},
    status: { conditions: [{ type: 'DiskPressure', status: pressure, lastHeartbeatTime: heartbeat }] },
  });

export const owned = (kind: string, name: string, ownerKind: string, owner: string): Manifest =>
  object(kind, name, 'shop', {
    metadata: {
      ownerReferences: [{ apiVersion: 'apps/v1', kind: ownerKind, name: owner, uid: owner, controller: true }],
    },
  });

export const event = (name: string, reason: string, count: number, pod = 'web-1'): Manifest =>
  object('Event', name, 'shop', {
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: pod },
    type: 'Warning',
    reason,
    count,
  });
