/** A program in its own process group, so that what it starts ends with it. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { codeOf, RetryAfterError, toError } from '../errors.ts';
import type { Clock } from '../clock.ts';

/** What to run, without a shell. */
export interface ProgramSpec {
  /** The program and its arguments. A program with a "/" is relative to `cwd`, others are searched in `env.PATH`. */
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  /** Its whole environment: nothing of ours is passed on. */
  readonly env: Readonly<Record<string, string>>;
}

/** How it ended. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** From SIGTERM to SIGKILL. */
const TERM_GRACE_MS = 2_000;

export class ProcessGroup {
  readonly child: ChildProcessWithoutNullStreams;
  /** Never rejects: a program that could not be started counts as ended, with {@link startError}. */
  readonly ended: Promise<ProgramEnd>;
  #startError: Error | undefined;
  #hasEnded = false;

  /**
   * @throws RetryAfterError if no more files may be opened; an Error if Node finds out at once that it cannot start; for other
   * reasons for not starting, see {@link ended}
   */
  constructor(spec: ProgramSpec) {
    const [program] = spec.command;
    this.child = spawned(spec);
    this.ended = new Promise((resolve) => {
      this.child.once('error', (cause) => {
        this.#startError ??= new Error(`Cannot start ${program}: ${reasonOf(cause, spec)}`, { cause });
        if (this.child.pid === undefined) resolve({ code: null, signal: null });
      });
      this.child.once('exit', (code, signal) => {
        this.#hasEnded = true;
        // Ends what it has left behind.
        this.#signal('SIGKILL');
        resolve({ code, signal });
      });
    });
    // If its pipes cannot be created, Node returns a child without them and emits the error later.
    const { stdin } = this.child as Partial<ChildProcessWithoutNullStreams>;
    if (stdin === undefined) {
      throw new RetryAfterError(`Cannot start ${program}: too many files are open; raise the limit`);
    }
    // A program that does not read its input is judged by its exit, not by our failed write.
    stdin.on('error', () => {});
  }

  /** Why it could not be started. */
  get startError(): Error | undefined {
    return this.#startError;
  }

  /** Asks the whole group to end, then forces it. Resolves when the program has ended. */
  async terminate(clock: Clock): Promise<void> {
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
      // Nothing of the group is left, or nothing that we may end: what runs as another user, through sudo, outlives us.
      const code = codeOf(thrown);
      if (code !== 'ESRCH' && code !== 'EPERM') throw thrown;
    }
  }
}

/** Node throws some reasons for not starting, and emits others. */
function spawned(spec: ProgramSpec): ChildProcessWithoutNullStreams {
  const {
    command: [program, ...args],
    cwd,
    env,
  } = spec;
  try {
    return spawn(program, args, { cwd, env, detached: true, stdio: 'pipe' });
  } catch (cause) {
    throw new Error(`Cannot start ${program}: ${reasonOf(cause, spec)}`, { cause });
  }
}

/** `exit code 3`, `signal SIGKILL`. */
export function describeEnd({ code, signal }: ProgramEnd): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}

function reasonOf(cause: unknown, spec: ProgramSpec): string {
  if (codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR') return describeMissing(spec);
  if (codeOf(cause) === 'EACCES') return 'it is not executable';
  return toError(cause).message;
}

/** The system reports the same error for a missing program and a missing folder. */
function describeMissing({ command: [program], cwd }: ProgramSpec): string {
  // With a slash at its end, a file does not exist.
  if (!existsSync(`${cwd}/`)) return `there is no folder ${cwd}`;
  const exists = program.includes('/') && existsSync(path.resolve(cwd, program));
  return exists ? 'the program in its first line (#!) does not exist' : 'there is no such program';
}
