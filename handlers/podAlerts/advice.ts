/** Where to look first, by reason. */
import { splitKey } from '../../src/change.ts';
import type { Problem } from './problem.ts';

const CANNOT_START = 'The runtime cannot start the container: check its command and mounts.';

const HINTS: Readonly<Record<string, string>> = {
  CrashLoopBackOff: 'The container keeps exiting: see its log.',
  Completed: 'It ends without an error, and is started again each time: its command has to keep running.',
  StartError: CANNOT_START,
  ContainerCannotRun: CANNOT_START,
  ImagePullBackOff: 'The image cannot be pulled: check its name, its tag, and the pull secret.',
  ErrImagePull: 'The image cannot be pulled: check its name, its tag, and the pull secret.',
  ErrImageNeverPull: 'The node does not have the image, and imagePullPolicy: Never prevents a pull.',
  InvalidImageName: 'The image name is invalid: check its spelling.',
  OOMKilled: 'It took more memory than its limit, or than the node has: look at resources.limits.memory.',
  CreateContainerConfigError: 'A ConfigMap or Secret that it needs, or a key in one, is missing.',
  CreateContainerError: 'The runtime cannot create the container: check its command, mounts and security context.',
  RunContainerError: CANNOT_START,
  Evicted: 'The node ran short of memory, disk or process ids: check its conditions and the requests of its pods.',
  Unschedulable:
    'No node fits the pod: check its requests, node selector, affinity and tolerations, and the free capacity.',
  Pending: 'The pod does not start: its Events say what it is waiting for.',
  UnexpectedAdmissionError:
    'The kubelet rejected the pod: a device that it requests, such as a GPU, was not available.',
  FailedMount: 'A volume cannot be mounted: check the ConfigMap, Secret or claim that it names.',
  FailedAttachVolume: 'A volume cannot be attached: another node may still be using it.',
  FailedCreatePodSandBox: 'The network of the pod cannot be set up: check the CNI plug-in of the node.',
  LivenessProbeFailed:
    'The kubelet kills the container because its liveness probe fails: it hangs, or the probe is too strict.',
  StartupProbeFailed: 'The kubelet kills the container because it does not start in time: check startupProbe.',
  NotReady:
    'It runs, but gets no traffic from services: check the readiness probe and what it depends on, and readinessGates.',
  Restarts: 'It restarts often, and recovers each time.',
  DeadlineExceeded: 'It ran for longer than its activeDeadlineSeconds.',
  PodFailurePolicy: 'A rule of its podFailurePolicy ended the job: the message names the container.',
  FailedIndexes: 'Some indexes of the job have failed for good: see status.failedIndexes.',
  MaxFailedIndexesExceeded: 'Too many indexes of the job have failed: see status.failedIndexes.',
  BackoffLimitExceeded: 'The job has reached its backoffLimit and starts no more pods: see their logs.',
  NodeNotReady: 'The kubelet reports that the node cannot run pods: check its conditions.',
  NodeUnreachable: 'The kubelet does not respond: the node is down or unreachable.',
};

interface Cause {
  readonly reasons: readonly string[];
  readonly message: RegExp;
  readonly hint: string;
}

const PULL = ['ErrImagePull', 'ImagePullBackOff'];

/** Causes that a message of Kubernetes names, of reasons that have several. */
const CAUSES: readonly Cause[] = [
  {
    reasons: PULL,
    message: /toomanyrequests|429 Too Many Requests/i,
    hint: 'The registry limits how often images are pulled: pull with credentials, or from a mirror.',
  },
  {
    reasons: PULL,
    message: /x509: /,
    hint: 'The node does not accept the certificate of the registry: check its names, its date, and the CA.',
  },
  {
    reasons: PULL,
    message: /no such host|i\/o timeout|connection refused/,
    hint: 'The node does not reach the registry: check its name, and DNS and network of the node.',
  },
  {
    reasons: PULL,
    message: /no match for platform/,
    hint: 'The image is not built for the operating system and architecture of the node.',
  },
  {
    reasons: ['CreateContainerConfigError'],
    message: /runAsNonRoot/,
    hint: 'runAsNonRoot forbids the user of the image: set runAsUser, or a numeric user in the image.',
  },
  {
    reasons: ['CreateContainerConfigError'],
    message: /subPath/,
    hint: 'The subPath of a volume mount cannot be prepared: check the path, and who may write to the volume.',
  },
  {
    reasons: ['Unschedulable'],
    message: /unbound immediate PersistentVolumeClaims|persistentvolumeclaim "[^"]*" (?:not found|is being deleted)/,
    hint: 'A volume claim of the pod is missing or not bound: check the claim and its storage class.',
  },
];

function hintFor({ reason, because = '', message = '' }: Problem): string | undefined {
  const cause = CAUSES.find((one) => one.reasons.includes(reason) && one.message.test(message));
  return cause?.hint ?? HINTS[because] ?? HINTS[reason];
}

/** @param pod `namespace/name` of the pod or job, or the name of a node */
export function adviceOn(
  problem: Problem,
  pod: string,
): { readonly hint: string | undefined; readonly kubectl: string } {
  return { hint: hintFor(problem), kubectl: commandFor(problem, pod) };
}

/** The container has run, so there is a log. */
const HAVE_LOGS: ReadonlySet<string> = new Set([
  'CrashLoopBackOff',
  'OOMKilled',
  'Error',
  'Restarts',
  'LivenessProbeFailed',
  'StartupProbeFailed',
]);

/** How a container ends that the runtime could not start, so there is no log. */
const NEVER_RAN: ReadonlySet<string> = new Set(['StartError', 'ContainerCannotRun']);

function commandFor({ reason, because = '', container, final, job }: Problem, pod: string): string {
  const { namespace, name } = splitKey(pod);
  if (namespace === undefined) return `kubectl describe node ${name}`;
  if (job === true) return `kubectl -n ${namespace} describe job ${name}`;
  if (!HAVE_LOGS.has(reason) || NEVER_RAN.has(because) || container === '')
    return `kubectl -n ${namespace} describe pod ${name}`;
  return `kubectl -n ${namespace} logs ${name} -c ${container}${final === true ? '' : ' --previous'}`;
}
