/** Runs a command that ends by itself in this process: a new process costs most of a second. */
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { CommandIo } from '../src/cli/command.ts';
import { runCommandLine } from '../src/cli/command-line.ts';
import { PATIENCE_MS } from '../src/testing/waiters.ts';

export interface CommandOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param io default: an empty environment, nothing to read, and no terminal */
export async function runCommand(
  argv: readonly string[],
  { isTTY = false, ...io }: Partial<Pick<CommandIo, 'env' | 'stdin' | 'signal'>> & { readonly isTTY?: boolean } = {},
): Promise<CommandOutput> {
  const [stdout, stderr] = [Object.assign(new PassThrough(), { isTTY }), new PassThrough()];
  const printed = [text(stdout), text(stderr)] as const;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const code = await runCommandLine({ argv, env: {}, stdin: Readable.from([]), stdout, stderr, signal, ...io });
  stdout.end();
  stderr.end();
  return { code, stdout: await printed[0], stderr: await printed[1] };
}
