/** Preloaded into the program: each SIGUSR2 sets its clock forward or back by `CLOCK_JUMP_MS` milliseconds. */
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  const now = Date.now.bind(Date);
  let offMs = 0;
  Date.now = () => now() + offMs;
  process.on('SIGUSR2', () => {
    offMs += Number(process.env['CLOCK_JUMP_MS']);
    process.stderr.write('"The clock was set"\n');
  });
}
