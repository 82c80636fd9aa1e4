/** The program as a process, a cluster of deployments and a Slack receiver, to be killed, stopped and restarted. */
import { startApiServer, type ApiServer } from '../../src/testing/api-server.ts';
import { startReceiver, type CapturedReceiver } from '../../src/testing/receiver.ts';
import { deployment } from '../e2e/cluster.ts';
import { kwatchmanConfig, startProgram, type StartOptions } from '../e2e/main-job.ts';
import { Workdir, type Program } from '../e2e/program.ts';
import type { Respond } from '../e2e/world.ts';
import { assertFolderBalanced, type Leftovers } from './balance.ts';
import { createAll } from './stories.ts';

/** The default number of changes that run at once: as many may be under way when the process dies. */
export const CONCURRENCY = 8;

/** Sends what happened while away immediately and one by one, so that duplicates show. */
export function reportEach(config: string): string {
  return `whileAway = "each"\n${config}`;
}

export class Service implements AsyncDisposable {
  readonly server: ApiServer;
  readonly slack: CapturedReceiver;
  readonly workdir: Workdir;
  readonly objects: number;
  readonly #kubeconfig: string;

  private constructor(
    server: ApiServer,
    slack: CapturedReceiver,
    workdir: Workdir,
    kubeconfig: string,
    objects: number,
  ) {
    this.server = server;
    this.slack = slack;
    this.workdir = workdir;
    this.objects = objects;
    this.#kubeconfig = kubeconfig;
  }

  /** A cluster with `web-0` to `web-<objects - 1>`, each with 0 replicas. */
  static async make(objects: number, respond: Respond = () => ({})): Promise<Service> {
    const [server, slack, workdir] = [await startApiServer(), await startReceiver(respond), await Workdir.make()];
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    await workdir.write('config.toml', reportEach(kwatchmanConfig(slack.url, ['deployment'])));
    const service = new Service(server, slack, workdir, kubeconfig, objects);
    createAll(service, objects);
    return service;
  }

  /** The state folder, unless a start names another. */
  get state(): string {
    return this.workdir.file('state');
  }

  start(options?: StartOptions): Program {
    return startProgram(this.workdir, { url: this.server.url, kubeconfig: this.#kubeconfig }, options);
  }

  /** Starts, waits until ready, and stops, so that the silent first list is done. */
  async startOnce(options?: StartOptions): Promise<void> {
    await using program = this.start(options);
    await program.ready();
    await program.stop();
  }

  scale(replicas: number, from = 0, to = this.objects): void {
    for (let n = from; n < to; n++) this.server.update(deployment(`web-${n}`, 'nginx', replicas));
  }

  /** P8, for the state folder. */
  assertBalanced(leftovers?: Leftovers): Promise<void> {
    return assertFolderBalanced(this.state, leftovers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.slack.close();
    await this.server.close();
    await this.workdir[Symbol.asyncDispose]();
  }
}
