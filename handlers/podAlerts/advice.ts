/** Where to look first, by reason. */
import type { Problem } from './problem.ts';

const HINTS: Readonly<Record<string, string>> = {
  CrashLoopBackOff: 'The container ends again and again: its log says why.',
  ImagePullBackOff: 'The image cannot be pulled: look at its name, its tag, and the pull secret.',
  ErrImagePull: 'The image cannot be pulled: look at its name, its tag, and the pull secret.',
  InvalidImageName: 'The name of the image is not one: look at its spelling.',
  OOMKilled: 'It took more memory than its limit, or than the node has: look at resources.limits.memory.',
  CreateContainerConfigError: 'A ConfigMap, a Secret or a key of one that it needs is missing.',
  CreateContainerError: 'The runtime cannot make the container: look at its command, mounts and security context.',
  RunContainerError: 'The runtime cannot start the container: look at its command and mounts.',
  Evicted: 'The node ran short of memory, disk or process ids: look at its conditions and at the requests of its pods.',
  Unschedulable:
    'No node takes the pod: look at its requests, node selector, affinity and tolerations, and at the room there is.',
  Pending: 'The pod does not start: its Events say what it waits for.',
  FailedMount: 'A volume cannot be mounted: look at the ConfigMap, Secret or claim that it names.',
  FailedAttachVolume: 'A volume cannot be attached: another node may hold it.',
  FailedCreatePodSandBox: 'The network of the pod cannot be set up: look at the CNI plug-in of the node.',
  LivenessProbeFailed:
    'The kubelet ends the container, as its liveness probe fails: it hangs, or the probe is too strict.',
  StartupProbeFailed: 'The kubelet ends the container, as it does not start in time: look at startupProbe.',
  Restarts: 'It restarts often, and comes back each time.',
  BackoffLimitExceeded: 'The job tried as often as its backoffLimit says and starts no more pods: their logs say why.',
  NodeNotReady: 'The kubelet says that the node cannot run pods: look at its conditions.',
  NodeUnreachable: 'The kubelet does not answer: the node is off, or cut off.',
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

function commandFor({ reason, container, final, job }: Problem, pod: string): string {
  const [namespace = '', name] = pod.split('/');
  if (name === undefined) return `kubectl describe node ${namespace}`;
  if (job === true) return `kubectl -n ${namespace} describe job ${name}`;
  if (!HAVE_LOGS.has(reason) || container === '') return `kubectl -n ${namespace} describe pod ${name}`;
  return `kubectl -n ${namespace} logs ${name} -c ${container}${final === true ? '' : ' --previous'}`;
}
