#!/usr/bin/env node
/** argv and env -> command; signals and exit code. Nothing else. */
import { keepYoungGenerationSmall } from './main/memory.ts';
import { nodeVersionProblem } from './main/node-version.ts';
import { enlargeThreadPool } from './main/threads.ts';

// A reader that closed the pipe (`watchchain | head`) has seen what it wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`watchchain: Cannot write to stdout: ${error.message}\n`);
  process.exit(1);
});
// Changes must still be delivered when nobody reads the log any more.
process.stderr.on('error', () => {});

const versionProblem = nodeVersionProblem(process.versions.node);
if (versionProblem !== undefined) {
  process.stderr.write(`watchchain: ${versionProblem}\n`);
  process.exit(1);
}

const stopping = new AbortController();
const stop = (signal: NodeJS.Signals) => {
  if (stopping.signal.aborted) process.exit(1);
  stopping.abort(signal);
};
// SIGHUP too: a closed terminal is no reason to leave work half done.
process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', stop);

keepYoungGenerationSmall();
enlargeThreadPool(process.env);
const { runCommandLine } = await import('./cli/command-line.ts');
// A pending wait may not keep the process alive, such as a handler's file that never finishes loading: its deadline must fire.
const keepAlive = setInterval(() => {}, 2 ** 31 - 1);
// A handler still working after its call has ended, for example retrying by itself, would send beside the process that took over.
const exitSoon = () => void setTimeout(() => process.exit(), 1_000).unref();
process.exitCode = await runCommandLine({
  argv: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stopping.signal,
  onStopped: exitSoon,
}).finally(() => clearInterval(keepAlive));
// Called once all output has been read, however long the reader takes: `watchchain history | less`.
process.stdout.write('', exitSoon);
