/** The cluster that is watched: the embedded API server, in its own process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ServeAnswer, ServeCommand } from './serve.ts';

const SERVER = fileURLToPath(new URL('./serve.ts', import.meta.url));

export type Kind = Extract<ServeCommand, { command: 'preload' }>['kind'];
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
export type Push = Without<Extract<ServeCommand, { command: 'push' }>, 'command'>;

export class Cluster implements AsyncDisposable {
  readonly kubeconfig: string;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, kubeconfig: string) {
    this.#process = child;
    this.#lines = lines;
    this.kubeconfig = kubeconfig;
  }

  /** @param folder for its own use; its kubeconfig goes there */
  static async start(folder: string, kind: Kind, count: number): Promise<Cluster> {
    const child = spawn(process.execPath, [SERVER], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    await lines.next();
    const cluster = new Cluster(child, lines, join(folder, 'kubeconfig'));
    await cluster.#run({ command: 'kubeconfig', path: cluster.kubeconfig });
    if (count > 0) await cluster.#run({ command: 'preload', kind, count });
    return cluster;
  }

  /** Resolves when the last object is written, though maybe not read by anybody yet. */
  push(push: Push): Promise<ServeAnswer> {
    return this.#run({ command: 'push', ...push });
  }

  /** Resolves when this many watches are open. */
  async watched(watches: number): Promise<void> {
    await this.#run({ command: 'watches', n: watches });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await exited;
  }

  async #run(command: ServeCommand): Promise<ServeAnswer> {
    this.#process.stdin?.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`The API server ended during ${command.command}`);
    return JSON.parse(value) as ServeAnswer;
  }
}
