/** Folders that are removed after the run, and configurations in them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Places implements AsyncDisposable {
  readonly #root: string;
  #folders = 0;

  private constructor(root: string) {
    this.#root = root;
  }

  static async make(): Promise<Places> {
    return new Places(await mkdtemp(join(tmpdir(), 'watchchain-bench-')));
  }

  async folder(): Promise<string> {
    return mkdtemp(join(this.#root, `${++this.#folders}-`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#root, { recursive: true, force: true });
  }
}

export interface ConfigOptions {
  readonly kubeconfig: string;
  readonly kind: 'pod' | 'deployment';
  /** The handler after `diff`: a webhook to post to, or else `log`. */
  readonly webhookURL?: string;
}

/** Writes `config.toml`, with the state beside it, and returns its path. */
export async function writeConfig(folder: string, { kubeconfig, kind, webhookURL }: ConfigOptions): Promise<string> {
  const sink =
    webhookURL === undefined
      ? 'name = "log"'
      : `name = "slack"\nwebhookURL = ${JSON.stringify(webhookURL)}\nmessagesPerSecond = 0`;
  const chain = `[[resource]]\nkind = "${kind}"\n[[handler]]\nname = "diff"\n[[handler]]\n${sink}\n`;
  return writeChain(folder, kubeconfig, chain);
}

/** The same for any chain. @param chain its resources and handlers, as TOML */
export async function writeChain(folder: string, kubeconfig: string, chain: string): Promise<string> {
  const file = join(folder, 'config.toml');
  const cluster = `[cluster]\nkubeconfig = ${JSON.stringify(kubeconfig)}\n`;
  const state = `[state]\npath = ${JSON.stringify(join(folder, 'state'))}\n`;
  // Each change is delivered and counted, however long it waited.
  await writeFile(file, `coalesce = false\n${cluster}${state}${chain}`);
  return file;
}
