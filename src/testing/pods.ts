/** Manifests of the size and shape of real ones: 7.7 KB as JSON, 40 % of it managedFields. */
import type { Manifest } from '../change.ts';
import type { Json, JsonObject } from '../json.ts';
import { managedFieldsAfter } from './api-server/managed-fields.ts';

const CREATED = '2026-01-05T08:00:00Z';
const SEEN = '2026-01-05T08:00:42Z';

const RUNBOOK =
  'Checkout is slow: look at the queue of the payment provider first, then at the pool of the database. '.repeat(6);

/** Different for each n, without the long runs of zeros that checksums never have. At most 64 digits. */
export const hex = (n: number, digits: number): string =>
  ((n + 1) * 2_654_435_761).toString(16).repeat(8).slice(-digits);

const uid = (n: number): string => `${hex(n, 8)}-5a3c-4f1e-9b7d-${hex(n + 1, 12)}`;

/** The parts of a pod or deployment, before anybody owns its fields. */
interface Parts {
  readonly desired: Manifest;
  readonly status: JsonObject;
  /** Who writes the status. */
  readonly controller: string;
}

/** The nth pod, in one of 50 namespaces, as written by a Deployment's controller and the kubelet. Deterministic. */
export function pod(n: number): Manifest {
  // The only values of a pod that occur in the keys of its managedFields.
  const managedFields = POD_FIELDS.replaceAll(uid(0), uid(n % 40)).replaceAll(podIp(0), podIp(n));
  return assembled(podParts(n), managedFields);
}

/** The nth deployment: the same containers under a controller. Deterministic. */
export function deployment(n: number): Manifest {
  return assembled(deploymentParts(n), DEPLOYMENT_FIELDS);
}

function podParts(n: number): Parts {
  const app = `checkout-${n % 40}`;
  const metadata = {
    name: `${app}-${hex(n % 40, 9)}-${n.toString(36).padStart(5, '0')}`,
    namespace: `team-${n % 50}`,
    uid: uid(n),
    creationTimestamp: CREATED,
    generateName: `${app}-${hex(n % 40, 9)}-`,
    labels: { ...labels(app), 'pod-template-hash': hex(n % 40, 9) },
    annotations: podAnnotations(n),
    ownerReferences: [owner('apps/v1', 'ReplicaSet', `${app}-${hex(n % 40, 9)}`, n % 40)],
  };
  const desired = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { ...podSpec(app), nodeName: `node-${n % 100}` } };
  return { desired, status: podStatus(n, app), controller: 'kubelet' };
}

function deploymentParts(n: number): Parts {
  const app = `checkout-${n}`;
  const metadata = {
    name: app,
    namespace: `team-${n % 50}`,
    uid: uid(n),
    generation: 7,
    creationTimestamp: CREATED,
    labels: labels(app),
    annotations: {
      'deployment.kubernetes.io/revision': '7',
      'meta.helm.sh/release-name': app,
      'shop.example/runbook': RUNBOOK,
    },
  };
  const spec = {
    replicas: 3,
    selector: { matchLabels: { 'app.kubernetes.io/name': app } },
    template: { metadata: { labels: labels(app), annotations: podAnnotations(n) }, spec: podSpec(app) },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
  };
  const condition = (type: string, reason: string, message: string): JsonObject => ({
    type,
    status: 'True',
    lastUpdateTime: SEEN,
    lastTransitionTime: CREATED,
    reason,
    message,
  });
  const status = {
    observedGeneration: 7,
    replicas: 3,
    updatedReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    conditions: [
      condition('Available', 'MinimumReplicasAvailable', 'Deployment has minimum availability.'),
      condition(
        'Progressing',
        'NewReplicaSetAvailable',
        `ReplicaSet "${app}-${hex(n, 9)}" has successfully progressed.`,
      ),
    ],
  };
  const desired = { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec };
  return { desired, status, controller: 'kube-controller-manager' };
}

/** The same object with another heartbeat in its status and managedFields, and nothing else: noise. */
export function withNoise(manifest: Manifest, n: number): Manifest {
  const time = `2026-01-05T09:${String(Math.trunc(n / 60) % 60).padStart(2, '0')}:${String(n % 60).padStart(2, '0')}Z`;
  const status = manifest['status'] as JsonObject;
  const conditions = status['conditions'] as readonly JsonObject[];
  const managedFields = manifest.metadata['managedFields'] as readonly JsonObject[];
  return {
    ...manifest,
    metadata: {
      ...manifest.metadata,
      managedFields: [...managedFields.slice(0, -1), { ...managedFields.at(-1), time }],
    },
    status: { ...status, conditions: conditions.map((condition) => ({ ...condition, lastTransitionTime: time })) },
  };
}

/** The same object with another image in its first container: a change that a diff shows. */
export function withImage(manifest: Manifest, tag: string): Manifest {
  const spec = manifest['spec'] as JsonObject;
  const template = spec['template'] as JsonObject | undefined;
  if (template === undefined) return { ...manifest, spec: imageSet(spec, tag) };
  return {
    ...manifest,
    spec: { ...spec, template: { ...template, spec: imageSet(template['spec'] as JsonObject, tag) } },
  };
}

function imageSet(podSpec: JsonObject, tag: string): JsonObject {
  const [first, ...others] = podSpec['containers'] as readonly JsonObject[];
  return { ...podSpec, containers: [{ ...first, image: `registry.example/shop/web:${tag}` }, ...others] };
}

function ownedFields({ desired, status, controller }: Parts): Json {
  const writer = { operation: 'Update', apiVersion: desired.apiVersion ?? 'v1' } as const;
  const creator = { ...writer, manager: desired.kind === 'Pod' ? 'kube-controller-manager' : 'helm', time: CREATED };
  const managedFields = managedFieldsAfter(undefined, desired, creator);
  const owned: Manifest = { ...desired, metadata: { ...desired.metadata, managedFields } };
  const reporter = { ...writer, manager: controller, subresource: 'status', time: SEEN };
  return managedFieldsAfter(owned, { ...owned, status }, reporter);
}

function assembled({ desired, status }: Parts, managedFields: string): Manifest {
  return { ...desired, metadata: { ...desired.metadata, managedFields: JSON.parse(managedFields) as Json }, status };
}

const labels = (app: string): Record<string, string> => ({
  'app.kubernetes.io/instance': app,
  'app.kubernetes.io/managed-by': 'Helm',
  'app.kubernetes.io/name': app,
  'app.kubernetes.io/part-of': 'shop',
  'helm.sh/chart': 'checkout-2.14.0',
});

const podIp = (n: number): string => `10.1.${n % 200}.${n % 250}`;

const podAnnotations = (n: number): Record<string, string> => ({
  'checksum/config': `${hex(n, 32)}${hex(n + 7, 32)}`,
  'prometheus.io/path': '/metrics',
  'prometheus.io/port': '9102',
  'prometheus.io/scrape': 'true',
});

const owner = (apiVersion: string, kind: string, name: string, n: number): JsonObject => ({
  apiVersion,
  kind,
  name,
  uid: uid(n),
  controller: true,
  blockOwnerDeletion: true,
});

function podSpec(app: string): JsonObject {
  return {
    volumes: [{ name: 'config', configMap: { name: `${app}-config`, defaultMode: 420 } }],
    containers: [
      webContainer(app),
      container('exporter', 'registry.example/shop/exporter:0.9.3', 9102, ['--scrape=http://127.0.0.1:8080/metrics']),
    ],
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: app,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 },
    schedulerName: 'default-scheduler',
    enableServiceLinks: true,
    tolerations: [
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ],
  };
}

function webContainer(app: string): JsonObject {
  return {
    ...container('web', 'registry.example/shop/web:2.14.0', 8080, [
      '--config=/etc/shop/config.yaml',
      '--log-format=json',
      '--log-level=info',
      `--service-name=${app}`,
      '--otlp-endpoint=http://collector.observability.svc:4317',
      '--feature-gates=FastCheckout=true,NewBasket=false,SavedCards=true',
    ]),
    env: [
      { name: 'APP', value: app },
      { name: 'POD_IP', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } },
    ],
    volumeMounts: [{ name: 'config', mountPath: '/etc/shop', readOnly: true }],
    readinessProbe: {
      httpGet: { path: '/readyz', port: 8080, scheme: 'HTTP' },
      initialDelaySeconds: 5,
      timeoutSeconds: 1,
      periodSeconds: 10,
      successThreshold: 1,
      failureThreshold: 3,
    },
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
  };
}

function container(name: string, image: string, port: number, args: readonly string[]): JsonObject {
  return {
    name,
    image,
    args: [...args, `--listen=:${port}`],
    ports: [{ name: 'http', containerPort: port, protocol: 'TCP' }],
    resources: { limits: { cpu: '1', memory: '512Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
  };
}

function podStatus(n: number, app: string): JsonObject {
  const conditions = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'];
  const running = (name: string, image: string): JsonObject => ({
    name,
    state: { running: { startedAt: SEEN } },
    lastState: {},
    ready: true,
    restartCount: 0,
    image,
    started: true,
    imageID: `registry.example/shop/${name}@sha256:${hex(7, 64)}`,
    containerID: `containerd://${hex(n, 64)}`,
  });
  return {
    phase: 'Running',
    conditions: conditions.map((type) => ({ type, status: 'True', lastProbeTime: null, lastTransitionTime: SEEN })),
    hostIP: `10.0.0.${n % 100}`,
    podIP: podIp(n),
    podIPs: [{ ip: podIp(n) }],
    startTime: CREATED,
    containerStatuses: [running('web', `registry.example/shop/web:2.14.0`), running('exporter', `${app}:0.9.3`)],
    qosClass: 'Burstable',
  };
}

/** Computed once: working out who owns what takes 1 ms, too long for 20,000 objects of the same shape. */
const POD_FIELDS = JSON.stringify(ownedFields(podParts(0)));
const DEPLOYMENT_FIELDS = JSON.stringify(ownedFields(deploymentParts(0)));
