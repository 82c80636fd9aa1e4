/** What can be wrong with a pod, a node or a job. */

/** A restart is a warning; what keeps something from running is a failure. */
export type Level = 'Warning' | 'Failure';

export interface Problem {
  /** Empty when it is the pod's, the node's or the job's. */
  readonly container: string;
  /** As `kubectl get pods` shows it: `CrashLoopBackOff`, `OOMKilled`, `Unschedulable`. */
  readonly reason: string;
  readonly level: Level;
  /** In the words of Kubernetes; cut. */
  readonly message?: string | undefined;
  /** How the container ended last, where that is why. */
  readonly because?: string;
  readonly exitCode?: number;
  readonly signal?: number;
  readonly image?: string | undefined;
  readonly init?: true;
  /** It is one from this time on, milliseconds since the epoch. */
  readonly due?: number;
  /** Its pod runs no more, and will not: another one takes its place. */
  readonly final?: true;
  /** Of the job itself: it has given up, and of its pods none may be left. */
  readonly job?: true;
  /** Told by an Event: gone when the pod is fine, whatever its status says meanwhile. */
  readonly told?: true;
  /** It was over when it was seen: no later change need tell so. */
  readonly brief?: true;
}
