/** A program in a process group of its own, so that what it starts ends with it. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { codeOf, RetryAfterError, toError } from '../errors.ts';
import type { Clock } from '../clock.ts';

/** What is run: no shell reads it. */
export interface ProgramSpec {
  /** The program and its arguments. A program with a "/" in it is looked for from `cwd`, another one in `env.PATH`. */
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  /** All of its environment: nothing of ours is passed on. */
  readonly env: Readonly<Record<string, string>>;
}

/** How it ended. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Between the wish to end and the end. */
const TERM_GRACE_MS = 2_000;

export class ProcessGroup {
  readonly child: ChildProcessWithoutNullStreams;
  /** Never rejects: a program that could not be started has ended, too, with {@link startError}. */
  readonly ended: Promise<ProgramEnd>;
  #startError: Error | undefined;
  #hasEnded = false;

  /** @throws RetryAfterError when no more files may be opened; for what else keeps it from starting see {@link ended} */
  constructor(spec: ProgramSpec) {
    const {
      command: [program, ...args],
      cwd,
      env,
    } = spec;
    this.child = spawn(program, args, { cwd, env, detached: true, stdio: 'pipe' });
    this.ended = new Promise((resolve) => {
      this.child.once('error', (cause) => {
        this.#startError ??= new Error(`Cannot start ${program}: ${reasonOf(cause, spec)}`, { cause });
        if (this.child.pid === undefined) resolve({ code: null, signal: null });
      });
      this.child.once('exit', (code, signal) => {
        this.#hasEnded = true;
        // What it has left behind.
        this.#signal('SIGKILL');
        resolve({ code, signal });
      });
    });
    // Where there is no room for its pipes, Node answers without them and has the error follow.
    const { stdin } = this.child as Partial<ChildProcessWithoutNullStreams>;
    if (stdin === undefined) {
      throw new RetryAfterError(`Cannot start ${program}: too many files are open; raise their limit`);
    }
    // Whoever does not read its input is told by its end, not by ours.
    stdin.on('error', () => {});
  }

  /** Why it could not be started. */
  get startError(): Error | undefined {
    return this.#startError;
  }

  /** Asks the whole group to end, then makes it. Resolves when the program has ended. */
  async end(clock: Clock): Promise<void> {
    if (this.#hasEnded || this.child.pid === undefined) return;
    this.#signal('SIGTERM');
    const cancel = clock.after(TERM_GRACE_MS, () => this.#signal('SIGKILL'));
    await this.ended;
    cancel();
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch (thrown) {
      // Nothing of the group is left, or nothing that we may end: what runs as another user, by sudo, outlives us.
      const code = codeOf(thrown);
      if (code !== 'ESRCH' && code !== 'EPERM') throw thrown;
    }
  }
}

/** `exit code 3`, `signal SIGKILL`. */
export function describeEnd({ code, signal }: ProgramEnd): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}

function reasonOf(cause: unknown, spec: ProgramSpec): string {
  if (codeOf(cause) === 'ENOENT') return whatIsMissing(spec);
  if (codeOf(cause) === 'EACCES') return 'it may not be executed';
  return toError(cause).message;
}

/** The system says the same of each. */
function whatIsMissing({ command: [program], cwd }: ProgramSpec): string {
  if (!existsSync(cwd)) return `there is no folder ${cwd}`;
  const isThere = program.includes('/') && existsSync(path.resolve(cwd, program));
  return isThere ? 'there is no such program as its first line (#!) names' : 'there is no such program';
}
