/** A long-lived program: reads one line of JSON per change, and writes one line per answer. */
import { waitAtMost, type Clock } from '../clock.ts';
import { RetryAfterError, toError } from '../errors.ts';
import { hiderOf } from '../delivery/scrub.ts';
import type { Logger } from '../log.ts';
import { nameMatcher, SECRET_ENV_NAMES } from '../source/name-matcher.ts';
import { parseAnswer, type Answer } from './contract.ts';
import { describeEnd, ProcessGroup, type ProgramSpec } from './process-group.ts';
import { LineSplitter } from './line-splitter.ts';
import { DRAIN_MS, MAX_OUTPUT_BYTES } from './run-once.ts';

export interface LineProgramOptions {
  readonly spec: ProgramSpec;
  readonly clock: Clock;
  readonly log: Logger;
  /** For one answer. The time of a question begins when those before it are answered: it may have waited for them. */
  readonly timeoutMs: number;
  /** The first line that it reads after each start, which it does not answer. */
  readonly greeting?: string;
}

/** The variables whose names sound like a secret, which a program may repeat in what it says. */
function secretsIn(env: ProgramSpec['env']): readonly string[] {
  const isSecret = nameMatcher(SECRET_ENV_NAMES);
  return Object.entries(env).flatMap(([name, value]) => (isSecret(name) ? [value] : []));
}

interface PendingRequest {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;
/** From closing its input to asking it to end. */
const EXIT_GRACE_MS = 1_000;
/** For ending it: what runs as another user, as through `sudo`, cannot be ended. */
const MAX_ENDING_MS = 5_000;
/** Of a line on its standard error, which is logged. */
const MAX_STDERR_LINE_BYTES = 1_000;

/**
 * Started with the first question. If it dies, hangs or breaks the contract, all pending questions fail (if it hangs, those
 * after the first are only deferred), and it is started again with the next one: after 0.5 s, then twice as long each time up to
 * 30 s, until it has answered once.
 */
export class LineProgram {
  readonly #options: LineProgramOptions;
  #running: ProgramRun | undefined;
  #failures = 0;
  /** The earliest next start, on the monotonic clock. */
  #notBefore = -Infinity;
  #isStopped = false;

  constructor(options: LineProgramOptions) {
    this.#options = options;
  }

  /**
   * @param id the change that the question is about: the answer must repeat it
   * @param signal ends the program, like a question that takes too long
   * @throws RetryAfterError while it must not be started again; the signal's reason; an Error if it ends without an answer
   */
  async request(id: number, line: string, signal?: AbortSignal): Promise<Answer> {
    // If it is being ended, the question would fail with it.
    if (this.#running?.isEnding === true) await waitAtMost(this.#options.clock, MAX_ENDING_MS, this.#running.ended);
    signal?.throwIfAborted();
    const program = this.#start();
    const onAbort = () => void program.fail(toError(signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const answer = await program.request(id, line);
      this.#failures = 0;
      return answer;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Closes its standard input to make it end; forces it if it does not. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running?.stop();
  }

  #start(): ProgramRun {
    const { spec, clock, log } = this.#options;
    const [program] = spec.command;
    if (this.#running?.isEnding === true) {
      throw new RetryAfterError(`${program} has failed and does not end`, { retryAfterMs: MAX_BACKOFF_MS });
    }
    if (this.#running !== undefined) return this.#running;
    const waitMs = this.#notBefore - clock.monotonic();
    if (this.#isStopped || waitMs > 0) {
      throw new RetryAfterError(`${program} has failed and has not been restarted yet`, {
        retryAfterMs: Math.max(waitMs, 1),
      });
    }
    const running = new ProgramRun(this.#options);
    this.#running = running;
    void running.ended.then((why) => {
      this.#running = undefined;
      if (this.#isStopped) return;
      const backoffMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures++);
      this.#notBefore = clock.monotonic() + backoffMs;
      log.warn('A plug-in has exited and will be restarted', { program, problem: why, inMs: backoffMs });
    });
    return running;
  }
}

/** One run of the program. */
class ProgramRun {
  /** Resolves with the reason once it has ended. */
  readonly ended: Promise<string>;
  readonly #group: ProcessGroup;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** In the order of asking. */
  readonly #pending = new Map<number, PendingRequest>();
  #cancelTimeout: () => void = () => undefined;
  #problem: Error | undefined;
  /** The question that it did not answer in time. */
  #hungOn: number | undefined;
  #hasEnded = false;
  /** Not written yet: questions of one turn go into one write. */
  #unsent = '';

  constructor({ spec, clock, log, timeoutMs, greeting }: LineProgramOptions) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#group = new ProcessGroup(spec);
    const { stdout, stderr } = this.#group.child;
    const stdoutLines = new LineSplitter({
      maxBytes: MAX_OUTPUT_BYTES,
      onLine: (line) => this.#onLine(line),
      onTooLong: () => this.#failOnLongLine(),
    });
    stdout.on('data', (chunk: Buffer) => stdoutLines.push(chunk));
    const program = spec.command[0];
    const hide = hiderOf(secretsIn(spec.env));
    const stderrLines = new LineSplitter({
      maxBytes: MAX_STDERR_LINE_BYTES,
      onLine: (line) => log.info('Plug-in output on stderr', { program, line: hide(line) }),
      onTooLong: (line) => log.info('Plug-in output on stderr', { program, line: `${hide(line)}...` }),
    });
    stderr.on('data', (chunk: Buffer) => stderrLines.push(chunk)).on('end', () => stderrLines.end());
    if (greeting !== undefined) this.#send(greeting);
    const stdoutClosed = new Promise((resolve) => stdout.once('close', resolve));
    this.ended = this.#group.ended.then(async (end) => {
      this.#hasEnded = true;
      // It may have ended before its last answers are read.
      await waitAtMost(clock, DRAIN_MS, stdoutClosed);
      const why = this.#problem ?? this.#group.startError ?? new Error(`it ended with ${describeEnd(end)}`);
      this.#rejectPending(why);
      return why.message;
    });
  }

  request(id: number, line: string): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#pending.set(id, { resolve, reject });
    if (this.#pending.size === 1) this.#limitOldest();
    this.#send(line);
    return promise;
  }

  /** Begins the time of the oldest pending question, if any. */
  #limitOldest(): void {
    this.#cancelTimeout();
    if (this.#pending.size === 0) return;
    const late = () => {
      [this.#hungOn] = this.#pending.keys();
      void this.fail(new Error(`it did not finish within ${this.#timeoutMs / 1_000} s`));
    };
    this.#cancelTimeout = this.#clock.after(this.#timeoutMs, late);
  }

  #send(line: string): void {
    if (this.#unsent === '') {
      setImmediate(() => {
        this.#group.child.stdin.write(this.#unsent);
        this.#unsent = '';
      });
    }
    this.#unsent += `${line}\n`;
  }

  /** Whether it will not answer new questions. */
  get isEnding(): boolean {
    return this.#hasEnded || this.#problem !== undefined;
  }

  /** Ends the program; all pending questions fail. */
  async fail(problem: Error): Promise<void> {
    this.#problem ??= problem;
    await waitAtMost(this.#clock, MAX_ENDING_MS, this.#group.terminate(this.#clock));
    this.#rejectPending(this.#problem);
  }

  #rejectPending(why: Error): void {
    // One change on which the program always hangs must not use up the attempts of the others.
    const bystander = new RetryAfterError('it was stopped because it did not finish with another change');
    for (const [id, { reject }] of this.#pending) {
      reject(this.#hungOn === undefined || id === this.#hungOn ? why : bystander);
    }
    this.#pending.clear();
    this.#cancelTimeout();
  }

  async stop(): Promise<void> {
    this.#group.child.stdin.end();
    await waitAtMost(this.#clock, EXIT_GRACE_MS, this.ended);
    await this.#group.terminate(this.#clock);
  }

  /** An endless line would fill the memory. */
  #failOnLongLine(): void {
    void this.fail(new Error(`it wrote a line of more than ${MAX_OUTPUT_BYTES / 1024} KiB, and was stopped`));
  }

  #onLine(line: string): void {
    if (this.#problem !== undefined) return;
    try {
      const answer = parseAnswer(line);
      const pending = answer.id === undefined ? undefined : this.#pending.get(answer.id);
      if (answer.id === undefined || pending === undefined) {
        throw new Error(`it answered for ${answer.id ?? 'no change'}, which it was not asked about`);
      }
      const [oldest] = this.#pending.keys();
      this.#pending.delete(answer.id);
      if (answer.id === oldest) this.#limitOldest();
      pending.resolve(answer);
    } catch (thrown) {
      const problem = toError(thrown);
      this.#pendingFor(line)?.reject(problem);
      // Whether the line was meant for the others is unknown: fail them so that they are retried.
      void this.fail(new Error(problem.message));
    }
  }

  /** The question that an invalid line refers to, if it says so. */
  #pendingFor(line: string): PendingRequest | undefined {
    try {
      const { id } = JSON.parse(line) as { readonly id?: unknown };
      return typeof id === 'number' ? this.#pending.get(id) : undefined;
    } catch {
      return undefined;
    }
  }
}
