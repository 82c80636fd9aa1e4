/** A small shop on the embedded API server: about a minute of what happens in real clusters, the same each time. */
import { systemClock, type Clock } from '../clock.ts';
import type { Manifest } from '../change.ts';
import type { Json, JsonObject } from '../json.ts';
import type { ApiServer } from './api-server.ts';
import { mergePatch } from './api-server/merge-patch.ts';
import {
  autoscaler,
  deployment,
  legacyService,
  NAMESPACE,
  paymentToken,
  pod,
  podSpec,
  replicaSet,
  running,
  settings,
  upgradeEvent,
  waiting,
  WORKLOADS,
  type Workload,
} from './shop.ts';

export interface LivingClusterOptions {
  /** A round takes 56 s on it. Default: the system's; see {@link fasterClock}. */
  readonly clock?: Clock;
  /** Called before each action of a person: `kubectl set image deployment/web web=nginx:1.9.1`. */
  readonly narrate?: (what: string) => void;
}

/** Time that runs `speed` times as fast as the system's, from now. For server and story, so that timestamps fit the pauses. */
export function fasterClock(speed: number): Clock {
  const startMs = systemClock.now();
  const start = systemClock.monotonic();
  const monotonic = (): number => (systemClock.monotonic() - start) * speed;
  return {
    now: () => startMs + monotonic(),
    steady: () => startMs + monotonic(),
    monotonic,
    sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
    after: (ms, work) => systemClock.after(ms / speed, work),
  };
}

/** The images of web, one per round. */
const WEB_IMAGES = ['nginx:1.7.9', 'nginx:1.9.1', 'nginx:1.11.13', 'nginx:1.13.12'];

const CONTROLLERS = 'kube-controller-manager';

export class LivingCluster {
  readonly #server: ApiServer;
  readonly #clock: Clock;
  readonly #narrate: (what: string) => void;
  /** Running pods by workload, oldest first. */
  readonly #pods = new Map<string, string[]>();
  /** The newest replica set of each workload. */
  readonly #replicaSets = new Map<string, Manifest>();
  #names = 0;
  #revisions = 1;
  #round = 0;

  constructor(server: ApiServer, options: LivingClusterOptions = {}) {
    this.#server = server;
    this.#clock = options.clock ?? systemClock;
    this.#narrate = options.narrate ?? (() => {});
  }

  /** Creates what exists before anybody watches. */
  furnish(): void {
    this.#server.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: NAMESPACE },
      status: { phase: 'Active' },
    });
    for (const workload of Object.values(WORKLOADS)) this.#install(workload);
    const others = [autoscaler, settings('info', '30s'), paymentToken('tok-0-7f3a'), legacyService];
    for (const manifest of others) this.#server.create(manifest, { manager: 'helm' });
  }

  /** Plays one round of the story. Rejects with the signal's reason if that aborts. */
  async play(signal: AbortSignal): Promise<void> {
    const round = this.#round++;
    if (round > 0) await this.#legacyReturns(signal);
    await this.#pause(2_000, signal);
    await this.#rollout(WEB_IMAGES[(round + 1) % WEB_IMAGES.length] ?? '', signal);
    await this.#settingsEdited(round, signal);
    await this.#scaled(round, signal);
    await this.#secretRotated(round, signal);
    await this.#outOfMemory(signal);
    await this.#legacyRemoved(signal);
    this.#narrate('the cluster operator begins an upgrade');
    this.#server.create(upgradeEvent(`demo.${this.#name()}`, `4.${20 + round}`), {
      manager: 'cluster-version-operator',
    });
    await this.#pause(3_000, signal);
  }

  async #rollout(image: string, signal: AbortSignal): Promise<void> {
    const workload = { ...WORKLOADS.web, image };
    this.#narrate(`kubectl set image deployment/web web=${image}`);
    this.#patch('Deployment', 'web', template(workload), 'kubectl-set');
    await this.#newPods(workload, signal);
    await this.#quiet('web', 4_000, signal);
  }

  /** Rolls out a new template, like the Deployment controller. */
  async #newPods(workload: Workload, signal: AbortSignal): Promise<void> {
    const { app, replicas } = workload;
    await this.#pause(600, signal);
    this.#newReplicaSet(workload);
    const revision = { 'deployment.kubernetes.io/revision': String(++this.#revisions) };
    this.#patch('Deployment', app, { metadata: { annotations: revision } }, CONTROLLERS);
    for (let updated = 1; updated <= replicas; updated++) {
      await this.#startPod(workload, signal);
      this.#stopPod(app);
      this.#deploymentStatus(app, { updatedReplicas: updated, readyReplicas: replicas, replicas });
    }
  }

  async #settingsEdited(round: number, signal: AbortSignal): Promise<void> {
    this.#narrate('kubectl edit configmap/api-settings');
    const [logLevel, timeout] = round % 2 === 0 ? ['debug', '5s'] : ['info', '30s'];
    this.#server.update(settings(logLevel, timeout), { manager: 'kubectl-edit' });
    await this.#quiet('api', 6_000, signal);
  }

  async #scaled(round: number, signal: AbortSignal): Promise<void> {
    const [from, to] = round % 2 === 0 ? [2, 5] : [5, 2];
    this.#narrate(`load ${to > from ? 'rises: the autoscaler adds' : 'falls: the autoscaler removes'} pods of api`);
    this.#patch('HorizontalPodAutoscaler', 'api', { status: { desiredReplicas: to } }, CONTROLLERS, 'status');
    this.#patch('Deployment', 'api', { spec: { replicas: to } }, CONTROLLERS, 'scale');
    for (let n = from; n < to; n++) await this.#startPod(WORKLOADS.api, signal);
    for (let n = to; n < from; n++) this.#stopPod('api');
    this.#deploymentStatus('api', { replicas: to, readyReplicas: to, updatedReplicas: to });
    this.#patch('HorizontalPodAutoscaler', 'api', { status: { currentReplicas: to } }, CONTROLLERS, 'status');
    await this.#quiet('api', 5_000, signal);
  }

  async #secretRotated(round: number, signal: AbortSignal): Promise<void> {
    this.#narrate('a vault rotates secret/payment-provider');
    this.#server.update(paymentToken(`tok-${round + 1}-c91e`), { manager: 'external-secrets' });
    await this.#quiet('web', 7_000, signal);
  }

  /** Somebody gives a workload too little memory, and reverts that when it fails. */
  async #outOfMemory(signal: AbortSignal): Promise<void> {
    const { worker } = WORKLOADS;
    const short = { ...worker, memory: '64Mi' };
    this.#narrate('kubectl set resources deployment/worker --limits=memory=64Mi');
    this.#patch('Deployment', worker.app, template(short), 'kubectl-set');
    await this.#newPods(short, signal);
    await this.#quiet(worker.app, 1_500, signal);
    this.#narrate('worker runs out of memory, again and again');
    for (let restarts = 1; restarts <= 2; restarts++) await this.#killed(worker.app, restarts, signal);
    this.#narrate('kubectl rollout undo deployment/worker');
    this.#patch('Deployment', worker.app, template(worker), 'kubectl');
    await this.#newPods(worker, signal);
    await this.#quiet(worker.app, 4_000, signal);
  }

  /** Out of memory, and started again. */
  async #killed(app: string, restarts: number, signal: AbortSignal): Promise<void> {
    const [name = ''] = this.#pods.get(app) ?? [];
    const lines = [`level=info msg="worker started" attempt=${restarts}`, 'level=info msg="loading 48211 orders"'];
    this.#server.setLog(name, NAMESPACE, `${lines.join('\n')}\n`);
    const lastState = { terminated: { exitCode: 137, reason: 'OOMKilled' } };
    const down = { ...waiting(app, restarts, 'CrashLoopBackOff'), lastState };
    this.#patch('Pod', name, { status: { containerStatuses: [down] } }, 'kubelet', 'status');
    this.#deploymentStatus(app, { readyReplicas: 0 });
    await this.#pause(2_500, signal);
    this.#patch('Pod', name, { status: running(app, restarts) }, 'kubelet', 'status');
    this.#deploymentStatus(app, { readyReplicas: 1 });
    await this.#pause(800, signal);
  }

  async #legacyRemoved(signal: AbortSignal): Promise<void> {
    this.#narrate('kubectl delete deployment,service legacy-cart');
    this.#server.delete('Deployment', 'legacy-cart', NAMESPACE);
    this.#server.delete('Service', 'legacy-cart', NAMESPACE);
    this.#stopPod('legacy-cart');
    await this.#quiet('web', 5_000, signal);
  }

  async #legacyReturns(signal: AbortSignal): Promise<void> {
    this.#narrate('helm rollback legacy-cart');
    this.#install(WORKLOADS.legacyCart);
    this.#server.create(legacyService, { manager: 'helm' });
    await this.#pause(4_000, signal);
  }

  #install(workload: Workload): void {
    this.#server.create(deployment(workload), { manager: 'helm' });
    this.#newReplicaSet(workload);
    for (let n = 0; n < workload.replicas; n++) {
      const name = this.#createPod(workload);
      this.#patch('Pod', name, { status: running(workload.app) }, 'kubelet', 'status');
    }
  }

  /** Makes the owner of all further pods of the workload. */
  #newReplicaSet(workload: Workload): void {
    const made = this.#server.create(replicaSet(workload, this.#name()), { manager: CONTROLLERS });
    this.#replicaSets.set(workload.app, made);
  }

  async #startPod(workload: Workload, signal: AbortSignal): Promise<void> {
    const name = this.#createPod(workload);
    await this.#pause(900, signal);
    this.#patch('Pod', name, { status: running(workload.app) }, 'kubelet', 'status');
    await this.#pause(300, signal);
  }

  #createPod(workload: Workload): string {
    const { app } = workload;
    const owner = this.#replicaSets.get(app);
    if (owner === undefined) throw new Error(`Nothing of ${app} is installed`);
    const name = `${owner.metadata.name}-${this.#name().slice(0, 5)}`;
    this.#server.create(pod(workload, owner, name), { manager: CONTROLLERS });
    this.#pods.set(app, [...(this.#pods.get(app) ?? []), name]);
    return name;
  }

  /** Stops the oldest pod. */
  #stopPod(app: string): void {
    const [oldest, ...others] = this.#pods.get(app) ?? [];
    if (oldest === undefined) return;
    this.#server.delete('Pod', oldest, NAMESPACE);
    this.#pods.set(app, others);
  }

  /** Waits while controllers keep writing noise. */
  async #quiet(app: string, ms: number, signal: AbortSignal): Promise<void> {
    const beats = 4;
    for (let beat = 0; beat < beats; beat++) {
      await this.#pause(ms / beats, signal);
      this.#deploymentStatus(app, {});
    }
  }

  #deploymentStatus(app: string, status: JsonObject): void {
    const time = new Date(this.#clock.now()).toISOString();
    const conditions = [{ type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', lastUpdateTime: time }];
    this.#patch('Deployment', app, { status: { ...status, conditions } }, CONTROLLERS, 'status');
  }

  #patch(kind: string, name: string, patch: Json, manager: string, subresource?: string): void {
    const { metadata, ...rest } = this.#server.get(kind, name, NAMESPACE) ?? {};
    const { resourceVersion: _resourceVersion, ...unversioned } = metadata ?? {};
    const patched = mergePatch({ ...rest, metadata: unversioned }, patch);
    this.#server.update(patched as JsonObject, { manager, subresource });
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal);
  }

  /** Looks as random as a controller's names, but is the same each time. */
  #name(): string {
    return (++this.#names * 2_654_435_761).toString(36).slice(-9);
  }
}

const template = (workload: Workload): JsonObject => ({ spec: { template: { spec: podSpec(workload) } } });
