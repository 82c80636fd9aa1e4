/** The manifests of a small shop, for the demo's cluster. */
import type { Manifest } from '../change.ts';
import type { JsonObject } from '../json.ts';

export const NAMESPACE = 'shop';

export interface Workload {
  readonly app: string;
  readonly image: string;
  readonly replicas: number;
  /** The container's memory limit. Default `512Mi`. */
  readonly memory?: string;
}

/** The shop at the beginning of the story. */
export const WORKLOADS = {
  web: { app: 'web', image: 'nginx:1.7.9', replicas: 3 },
  api: { app: 'api', image: 'registry.example/shop/api:4.2.0', replicas: 2 },
  worker: { app: 'worker', image: 'registry.example/shop/worker:2.0.1', replicas: 1 },
  legacyCart: { app: 'legacy-cart', image: 'registry.example/shop/cart:0.9', replicas: 1 },
} as const satisfies Record<string, Workload>;

export function deployment(workload: Workload): JsonObject {
  const { app, replicas } = workload;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app, namespace: NAMESPACE, labels: { app, 'app.kubernetes.io/part-of': NAMESPACE } },
    spec: {
      replicas,
      selector: { matchLabels: { app } },
      template: { metadata: { labels: { app } }, spec: podSpec(workload) },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
    },
    status: { observedGeneration: 1, replicas, updatedReplicas: replicas, readyReplicas: replicas },
  };
}

export function podSpec({ app, image, memory = '512Mi' }: Workload): JsonObject {
  return {
    containers: [
      {
        name: app,
        image,
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory } },
        imagePullPolicy: 'IfNotPresent',
      },
    ],
    restartPolicy: 'Always',
  };
}

export function replicaSet(workload: Workload, hash: string): JsonObject {
  const { app, replicas } = workload;
  const labels = { app, 'pod-template-hash': hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: `${app}-${hash}`, namespace: NAMESPACE, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podSpec(workload) },
    },
    status: { replicas },
  };
}

/** @param owner its ReplicaSet */
export function pod(workload: Workload, { apiVersion, kind, metadata }: Manifest, name: string): JsonObject {
  const { app } = workload;
  const owner = { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: NAMESPACE,
      labels: { ...metadata.labels },
      ownerReferences: [owner],
    },
    spec: { ...podSpec(workload), nodeName: 'node-1' },
    status: { phase: 'Pending', containerStatuses: [waiting(app, 0, 'ContainerCreating')] },
  };
}

export const running = (app: string, restartCount = 0): JsonObject => ({
  phase: 'Running',
  containerStatuses: [{ name: app, ready: true, restartCount, state: { running: {} } }],
});

/** A container that is not running, and why. */
export const waiting = (app: string, restartCount: number, reason: string): JsonObject => ({
  name: app,
  ready: false,
  restartCount,
  state: { waiting: { reason } },
});

export const autoscaler: JsonObject = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'api', namespace: NAMESPACE },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'api' },
    minReplicas: 2,
    maxReplicas: 10,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } }],
  },
  status: { currentReplicas: 2, desiredReplicas: 2 },
};

export function settings(logLevel: string, timeout: string): JsonObject {
  const yaml = [
    'server:',
    '  port: 8080',
    `  timeout: ${timeout}`,
    '  maxConnections: 512',
    'features:',
    '  basket: new',
    '',
  ];
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'api-settings', namespace: NAMESPACE },
    data: { LOG_LEVEL: logLevel, 'settings.yaml': yaml.join('\n') },
  };
}

/** @param token in the clear: must not be visible anywhere. */
export function paymentToken(token: string): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'payment-provider', namespace: NAMESPACE },
    data: { token: Buffer.from(token).toString('base64'), user: Buffer.from('shop').toString('base64') },
    type: 'Opaque',
  };
}

export const legacyService: JsonObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'legacy-cart', namespace: NAMESPACE },
  spec: { selector: { app: 'legacy-cart' }, ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }] },
};

/** The Event of a cluster operator when an upgrade begins. */
export function upgradeEvent(name: string, version: string): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: 'default' },
    involvedObject: { apiVersion: 'config.openshift.io/v1', kind: 'Cluster', name: 'demo' },
    reason: 'ClusterIsUpdating',
    message: `Cluster is updating to ${version}`,
    source: { component: 'cluster-version-operator' },
    type: 'Normal',
    count: 1,
  };
}
