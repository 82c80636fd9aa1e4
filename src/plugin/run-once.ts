/** Runs one process per change: the request on its standard input, the answer from its standard output. */
import type { Readable } from 'node:stream';
import { waitAtMost, type Clock } from '../clock.ts';
import { ProcessGroup, type ProgramEnd, type ProgramSpec } from './process-group.ts';

export interface ProgramResult extends ProgramEnd {
  readonly stdout: string;
  readonly stderr: string;
}

/** For each stream. */
export const MAX_OUTPUT_BYTES = 1024 * 1024;
/** How long to wait for the pipes to close: a process that left the group may hold them open forever. */
export const DRAIN_MS = 1_000;

/**
 * Runs it to its end. It is ended if the signal aborts, or if it writes too much.
 * @throws the signal's reason; an Error if it cannot be started or writes more than 1 MiB
 */
export async function runOnce(
  spec: ProgramSpec,
  input: string,
  { signal, clock }: { readonly signal: AbortSignal; readonly clock: Clock },
): Promise<ProgramResult> {
  signal.throwIfAborted();
  const group = new ProcessGroup(spec);
  const [stdout, stderr] = [new OutputCollector(group.child.stdout), new OutputCollector(group.child.stderr)];
  const overflow = Promise.race([stdout.overflow, stderr.overflow]);
  const aborted = Promise.withResolvers<'aborted'>();
  const onAbort = () => aborted.resolve('aborted');
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    group.child.stdin.end(input);
    const ending = await Promise.race([group.ended, overflow, aborted.promise]);
    if (typeof ending !== 'object') await group.terminate(clock);
    if (ending === 'aborted') throw signal.reason;
    if (ending === 'overflow') throw new Error(`it wrote more than ${MAX_OUTPUT_BYTES / 1024} KiB, and was stopped`);
    if (group.startError !== undefined) throw group.startError;
    await waitAtMost(clock, DRAIN_MS, Promise.all([stdout.closed, stderr.closed]));
    return { ...ending, stdout: stdout.text, stderr: stderr.text };
  } finally {
    signal.removeEventListener('abort', onAbort);
    group.child.stdout.destroy();
    group.child.stderr.destroy();
  }
}

/** The output of a stream, up to the limit. */
class OutputCollector {
  readonly closed: Promise<void>;
  readonly overflow: Promise<'overflow'>;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(stream: Readable) {
    const overflow = Promise.withResolvers<'overflow'>();
    this.overflow = overflow.promise;
    this.closed = new Promise((resolve) => stream.once('close', resolve));
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length;
      if (this.#bytes <= MAX_OUTPUT_BYTES) this.#chunks.push(chunk);
      else overflow.resolve('overflow');
    });
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}
