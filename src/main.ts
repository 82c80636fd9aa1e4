#!/usr/bin/env node
/** argv and env -> command; signals and exit code. Nothing else. */
import { keepYoungGenerationSmall } from './memory.ts';
import { tooOld } from './node-version.ts';
import { makeRoomForNames } from './threads.ts';

// A reader that went away (`watchchain | head`) has seen what it wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`watchchain: Cannot write to stdout: ${error.message}\n`);
  process.exit(1);
});
// Whoever read the log has gone: the changes still have to be told.
process.stderr.on('error', () => {});

const refusal = tooOld(process.versions.node);
if (refusal !== undefined) {
  process.stderr.write(`watchchain: ${refusal}\n`);
  process.exit(1);
}

const stopping = new AbortController();
const stop = (signal: NodeJS.Signals) => {
  if (stopping.signal.aborted) process.exit(1);
  stopping.abort(signal);
};
// A terminal that was closed is no reason to leave work half done.
process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', stop);

keepYoungGenerationSmall();
makeRoomForNames(process.env);
const { runCommandLine } = await import('./cli/command-line.ts');
// What it waits for need not keep the process alive, such as the file of a handler that waits for ever: its deadline still comes.
const alive = setInterval(() => {}, 2 ** 31 - 1);
// A handler that goes on though its call is over, such as with attempts of its own, would tell beside whoever works now.
const endSoon = () => void setTimeout(() => process.exit(), 1_000).unref();
process.exitCode = await runCommandLine({
  argv: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stopping.signal,
  onStopped: endSoon,
}).finally(() => clearInterval(alive));
// What was printed is read before, by whoever takes the time: `watchchain history | less`.
process.stdout.write('', endSoon);
