/** Where to look first, by reason. */
import type { Problem } from './problem.ts';

const CANNOT_START = 'The runtime cannot start the container: check its command and mounts.';

const HINTS: Readonly<Record<string, string>> = {
  CrashLoopBackOff: 'The container keeps exiting: see its log.',
  Completed: 'It ends without an error, and is started again each time: its command has to keep running.',
  StartError: CANNOT_START,
  ContainerCannotRun: CANNOT_START,
  ImagePullBackOff: 'The image cannot be pulled: check its name, its tag, and the pull secret.',
  ErrImagePull: 'The image cannot be pulled: check its name, its tag, and the pull secret.',
  InvalidImageName: 'The image name is invalid: check its spelling.',
  OOMKilled: 'It took more memory than its limit, or than the node has: look at resources.limits.memory.',
  CreateContainerConfigError: 'A ConfigMap or Secret that it needs, or a key in one, is missing.',
  CreateContainerError: 'The runtime cannot create the container: check its command, mounts and security context.',
  RunContainerError: CANNOT_START,
  Evicted: 'The node ran short of memory, disk or process ids: check its conditions and the requests of its pods.',
  Unschedulable:
    'No node fits the pod: check its requests, node selector, affinity and tolerations, and the free capacity.',
  Pending: 'The pod does not start: its Events say what it is waiting for.',
  FailedMount: 'A volume cannot be mounted: check the ConfigMap, Secret or claim that it names.',
  FailedAttachVolume: 'A volume cannot be attached: another node may still be using it.',
  FailedCreatePodSandBox: 'The network of the pod cannot be set up: check the CNI plug-in of the node.',
  LivenessProbeFailed:
    'The kubelet kills the container because its liveness probe fails: it hangs, or the probe is too strict.',
  StartupProbeFailed: 'The kubelet kills the container because it does not start in time: check startupProbe.',
  Restarts: 'It restarts often, and recovers each time.',
  BackoffLimitExceeded: 'The job has reached its backoffLimit and starts no more pods: see their logs.',
  NodeNotReady: 'The kubelet reports that the node cannot run pods: check its conditions.',
  NodeUnreachable: 'The kubelet does not respond: the node is down or unreachable.',
};

/** @param pod `namespace/name` of the pod or job, or the name of a node */
export function adviceOn(
  problem: Problem,
  pod: string,
): { readonly hint: string | undefined; readonly kubectl: string } {
  return { hint: HINTS[problem.because ?? ''] ?? HINTS[problem.reason], kubectl: commandFor(problem, pod) };
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
  const [namespace = '', name] = pod.split('/');
  if (name === undefined) return `kubectl describe node ${namespace}`;
  if (job === true) return `kubectl -n ${namespace} describe job ${name}`;
  if (!HAVE_LOGS.has(reason) || NEVER_RAN.has(because) || container === '')
    return `kubectl -n ${namespace} describe pod ${name}`;
  return `kubectl -n ${namespace} logs ${name} -c ${container}${final === true ? '' : ' --previous'}`;
}
