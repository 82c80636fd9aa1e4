/** Credential plug-ins of a kubeconfig (such as `aws eks get-token`), following client.authentication.k8s.io. */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { toError } from '../errors.ts';
import { readWhole } from './read-whole.ts';
import type { ClientCertificate, Identity, Material } from './identity.ts';

/** The `exec` entry of a kubeconfig user. */
export const execEntry = z.object({
  apiVersion: z.enum(['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'], {
    error: ({ input }) =>
      `must be client.authentication.k8s.io/v1 or v1beta1: current value is ${JSON.stringify(input)}; have your provider's tool write the kubeconfig again`,
  }),
  command: z.string().min(1),
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
  installHint: z.string().optional(),
  interactiveMode: z.enum(['Never', 'IfAvailable', 'Always']).optional(),
  provideClusterInfo: z.boolean().optional(),
});
export type ExecEntry = z.output<typeof execEntry>;

/** What the plug-in prints. */
const execCredential = z.object({
  apiVersion: z.string(),
  kind: z.literal('ExecCredential'),
  status: z.object({
    token: z.string().min(1).optional(),
    clientCertificateData: z.string().min(1).optional(),
    clientKeyData: z.string().min(1).optional(),
    expirationTimestamp: z.string().optional(),
  }),
});
type ExecStatus = z.output<typeof execCredential>['status'];

/** A plug-in waits on the network, so it has a deadline too. */
const PLUGIN_DEADLINE_MS = 60_000;
/** Renew a credential this long before it expires, so that none expires while a request is on its way. */
const REFRESH_EARLY_MS = 60_000;
/** Between two runs caused by 401s. */
const MIN_BETWEEN_RUNS_MS = 10_000;
const MAX_STDERR_CHARS = 300;
/** Far more than any credential. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

export interface ExecOptions {
  readonly entry: ExecEntry;
  /** Given to a plug-in with `provideClusterInfo`: server and the like, in the API's spelling. */
  readonly cluster: Readonly<Record<string, unknown>>;
  /** Given with it, as data even if it is a file. */
  readonly ca?: Material | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly now?: () => number;
}

/** Runs the plug-in on demand: one run at a time, again shortly before expiry and after a 401. */
export class ExecIdentity implements Identity {
  readonly #options: ExecOptions;
  readonly #closing = new AbortController();
  #current: Promise<ExecStatus> | undefined;
  #staleAt = Infinity;
  #ranAt = -Infinity;

  constructor(options: ExecOptions) {
    this.#options = options;
  }

  async headers(): Promise<Record<string, string>> {
    const { token } = await this.#status();
    return token === undefined ? {} : { authorization: `Bearer ${token.trim()}` };
  }

  async certificate(): Promise<ClientCertificate | undefined> {
    const { clientCertificateData: cert, clientKeyData: key } = await this.#status();
    return cert === undefined || key === undefined ? undefined : { cert, key };
  }

  /** Ignored just after a run: many watches are refused at once when a token expires, and one new token serves them all. */
  invalidate(): void {
    const sinceMs = this.#now() - this.#ranAt;
    const wasSetBack = sinceMs < 0;
    if (wasSetBack || sinceMs >= MIN_BETWEEN_RUNS_MS) this.#staleAt = -Infinity;
  }

  close(): void {
    this.#closing.abort();
  }

  /** Concurrent callers share one run; a failed run is not remembered. */
  #status(): Promise<ExecStatus> {
    const now = this.#now();
    if (this.#current !== undefined && now < this.#staleAt) return this.#current;
    const run = runPlugin(this.#options, this.#closing.signal);
    this.#current = run;
    this.#ranAt = now;
    this.#staleAt = Infinity;
    run.then(
      (status) => {
        this.#staleAt = staleAt(status, now);
      },
      () => {
        this.#current = undefined;
      },
    );
    return run;
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

/** A credential that lives for less than two minutes is used for half its lifetime. */
function staleAt({ expirationTimestamp }: ExecStatus, now: number): number {
  const expires = Date.parse(expirationTimestamp ?? '');
  return Number.isNaN(expires) ? Infinity : expires - Math.min(REFRESH_EARLY_MS, (expires - now) / 2);
}

async function clusterInfo({ cluster, ca }: ExecOptions): Promise<object> {
  if (ca === undefined) return cluster;
  return { ...cluster, 'certificate-authority-data': Buffer.from(await ca.read()).toString('base64') };
}

async function runPlugin(options: ExecOptions, closing: AbortSignal): Promise<ExecStatus> {
  const { entry, env } = options;
  const cluster = entry.provideClusterInfo === true ? { cluster: await clusterInfo(options) } : {};
  const info = {
    apiVersion: entry.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...cluster },
  };
  const pluginEnv = Object.fromEntries((entry.env ?? []).map(({ name, value }) => [name, value]));
  const child = spawn(entry.command, entry.args ?? [], {
    env: { ...env, ...pluginEnv, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.any([closing, AbortSignal.timeout(PLUGIN_DEADLINE_MS)]),
    killSignal: 'SIGKILL',
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  let [end, output, stderr] = ['', '', ''];
  try {
    [end, output, stderr] = await Promise.all([ended, outputOf(child.stdout), outputOf(child.stderr)]);
  } catch (cause) {
    child.kill('SIGKILL');
    // A child of the plug-in may hold the pipes open, which would keep this process alive.
    child.stdout.destroy();
    child.stderr.destroy();
    const hint = entry.installHint === undefined ? '' : `; ${entry.installHint.trim()}`;
    throw new Error(`Cannot run the credential plug-in "${entry.command}": ${toError(cause).message}${hint}`, {
      cause,
    });
  }
  if (end !== 'exit code 0') {
    const stderrTail = stderr.trim().slice(-MAX_STDERR_CHARS);
    throw new Error(
      `The credential plug-in "${entry.command}" ended with ${end}${stderrTail === '' ? '' : `: ${stderrTail}`}`,
    );
  }
  return parseCredential(output, entry);
}

async function outputOf(stream: Readable): Promise<string> {
  return (await readWhole(stream, MAX_OUTPUT_BYTES, 'it prints more than')).toString('utf8');
}

/** The output is never shown: it holds the credential. */
function parseCredential(output: string, { apiVersion, command }: ExecEntry): ExecStatus {
  let printed: unknown;
  try {
    printed = JSON.parse(output);
  } catch {
    throw new Error(`The credential plug-in "${command}" must print JSON`);
  }
  const { success, data } = execCredential.safeParse(printed);
  if (!success) throw new Error(`The credential plug-in "${command}" must print an ExecCredential with a status`);
  if (data.apiVersion !== apiVersion)
    throw new Error(
      `The credential plug-in "${command}" must answer in ${apiVersion}: it answered in ${data.apiVersion}`,
    );
  const { token, clientCertificateData, clientKeyData } = data.status;
  if ((clientCertificateData === undefined) !== (clientKeyData === undefined) || (token ?? clientKeyData) === undefined)
    throw new Error(`The credential plug-in "${command}" must print a token, or a certificate with its key`);
  return data.status;
}
