/** The program as users start it: a process with a config file, a kubeconfig and a state folder. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PATIENCE_MS } from '../../src/testing/waiters.ts';

const MAIN = path.resolve(import.meta.dirname, '../../src/main.ts');

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A test's own folder, removed when it goes out of scope. */
export class Workdir implements AsyncDisposable {
  readonly path: string;
  private constructor(folder: string) {
    this.path = folder;
  }

  static async make(): Promise<Workdir> {
    return new Workdir(await mkdtemp(path.join(tmpdir(), 'watchchain-test-')));
  }

  file(name: string): string {
    return path.join(this.path, name);
  }

  async write(name: string, text: string): Promise<string> {
    await writeFile(this.file(name), text);
    return this.file(name);
  }

  /** Moves a file away, as operators are told to do. */
  async moveAway(name: string): Promise<void> {
    await rename(this.file(name), `${this.file(name)}.old`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** The entry point; default: the sources of this checkout. */
  readonly main?: string;
  /** Node's own flags, before the entry point. */
  readonly flags?: readonly string[];
  /** A command that limits itself and then executes the program, such as `prlimit --nofile=64`. */
  readonly under?: readonly string[];
}

/** A path where not even root can create a folder. */
const NO_FOLDER = '/dev/null';

export class Program implements AsyncDisposable {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #exit: Promise<Exit>;
  readonly #news = new EventTarget();

  constructor(args: readonly string[], options: ProgramOptions = {}) {
    // The developer's own environment must not matter: no KUBECONFIG, no KW_*, no HOME with a kubeconfig.
    const { PATH, NODE_COMPILE_CACHE } = process.env;
    const env = { PATH, NODE_COMPILE_CACHE, HOME: options.cwd ?? NO_FOLDER, ...options.env };
    const { under = [], flags = [], main = MAIN } = options;
    const [command, ...before] = [...under, process.execPath, ...flags, main];
    this.#child = spawn(command, [...before, ...args], {
      cwd: options.cwd,
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#hear('stdout', text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#hear('stderr', text));
    this.#exit = once(this.#child, 'close').then(([code, signal]) => {
      this.#news.dispatchEvent(new Event('news'));
      return {
        code: code as number | null,
        signal: signal as NodeJS.Signals | null,
        stdout: this.stdout,
        stderr: this.stderr,
      };
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when the output so far fulfils `condition`; rejects with the output. */
  async until(what: string, condition: (program: Program) => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    while (!condition(this)) {
      if (deadline.aborted || this.#child.exitCode !== null) {
        throw new Error(`The program never came to: ${what}\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`);
      }
      await once(this.#news, 'news', { signal: deadline }).catch(() => {});
    }
  }

  /** Resolves when all scopes are listed and watched. */
  async ready(): Promise<void> {
    await this.until('listening', ({ stderr }) => /"Listening"/.test(stderr));
    const url = `${this.url()}/readyz`;
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    let body = '';
    while (!deadline.aborted) {
      const response = await fetch(url, { signal: deadline });
      body = await response.text();
      if (response.ok) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
    throw new Error(`Not ready: ${body}\n--- stderr\n${this.stderr}`);
  }

  /** `http://127.0.0.1:PORT` of its endpoints, once it listens. */
  url(): string {
    const address = /"address":"([^"]+)".*"Listening"|"Listening".*"address":"([^"]+)"/.exec(this.stderr);
    return `http://${address?.[1] ?? address?.[2]}`;
  }

  /** Like `| head` when it has seen enough. */
  closeStdout(): void {
    this.#child.stdout?.destroy();
  }

  exited(): Promise<Exit> {
    return this.#exit;
  }

  /** Stops reading, so that its output fills the pipe. */
  pauseStdout(): void {
    this.#child.stdout?.pause();
  }

  resumeStdout(): void {
    this.#child.stdout?.resume();
  }

  /** Sends a signal that it may survive. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.#child.kill(signal);
    return this.#exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.stop('SIGKILL');
  }

  #hear(stream: 'stdout' | 'stderr', text: string): void {
    this[stream] += text;
    this.#news.dispatchEvent(new Event('news'));
  }
}
