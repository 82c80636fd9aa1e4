/** What can be wrong with a pod, a node or a job. */

/** What restarts, or runs without being ready, is a warning; what keeps something from running is a failure. */
export type Level = 'Warning' | 'Failure';

export type Problem = {
  /** Empty if the problem is the pod's, the node's or the job's. */
  readonly container: string;
  /** As `kubectl get pods` shows it: `CrashLoopBackOff`, `OOMKilled`, `Unschedulable`. */
  readonly reason: string;
  readonly level: Level;
  /** In the words of Kubernetes; cut. */
  readonly message?: string | undefined;
  /** How the container ended last, if that is the cause. */
  readonly because?: string;
  readonly exitCode?: number;
  readonly signal?: number;
  readonly image?: string | undefined;
  readonly init?: true;
  /** When it began, milliseconds since the epoch. Absent if its object does not say so: then it began when it was first seen. */
  readonly since?: number;
  /** It counts as a problem from this time on, milliseconds since the epoch. */
  readonly due?: number;
  /** Its pod has stopped for good: another one takes its place. */
  readonly final?: true;
  /** The job itself has given up; none of its pods may be left. */
  readonly job?: true;
  /** Reported by an Event: lasts until the pod is fine, whatever its status says meanwhile. */
  readonly told?: true;
  /** Already over when seen, so that no later change need report its end. */
  readonly brief?: true;
};
