/** A measured process: its CPU time and memory are exactly what the subject costs. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { Answer, Question, Usage } from '../subjects/report.ts';

/** Run as by their users: without the environment that make and the image set for watchchain. */
const YARDSTICKS: readonly string[] = ['client-node', 'cut-and-parse'];
const NOT_THEIRS: NodeJS.ProcessEnv = { MALLOC_ARENA_MAX: undefined };
const STOP_TIMEOUT_MS = 10_000;

export class Subject implements AsyncDisposable {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<Answer['to'], (usage: Usage) => void>();
  #failed: ((error: Error) => void) | undefined;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#process = child;
    child.on('message', (answer: Answer) => {
      this.#waiting.get(answer.to)?.(answer.usage);
      this.#waiting.delete(answer.to);
    });
    child.on('exit', (code, signal) => {
      this.#failed?.(new Error(`${name} ended early, exit code ${code ?? signal}`));
    });
  }

  /** Starts `subjects/NAME.ts` and waits until it is ready. Its stdout is a file beside the one named by its first argument. */
  static async start(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Subject> {
    const file = new URL(`../subjects/${name}.ts`, import.meta.url);
    await using stdout = await open(`${args[0]}.stdout`, 'a');
    const child = fork(file, args, {
      stdio: ['ignore', stdout.fd, 'inherit', 'ipc'],
      env: { ...process.env, ...(YARDSTICKS.includes(name) ? NOT_THEIRS : {}), ...env },
    });
    const subject = new Subject(name, child);
    await subject.#answer('ready');
    return subject;
  }

  usage(): Promise<Usage> {
    return this.#ask({ ask: 'usage' });
  }

  /** What it had cost when it had processed this many events in total. */
  reached(events: number): Promise<Usage> {
    return this.#ask({ ask: 'reached', events });
  }

  idle(): Promise<Usage> {
    return this.#ask({ ask: 'idle' });
  }

  /** Like `kill -9`. */
  async kill(): Promise<void> {
    this.#failed = undefined;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#failed = undefined;
    const exited = once(this.#process, 'exit');
    if (this.#process.connected) this.#process.disconnect();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }

  #ask(question: Question): Promise<Usage> {
    const answer = this.#answer(question.ask);
    this.#process.send(question);
    return answer;
  }

  #answer(to: Answer['to']): Promise<Usage> {
    return new Promise((resolve, reject) => {
      this.#failed = reject;
      this.#waiting.set(to, resolve);
    });
  }
}
