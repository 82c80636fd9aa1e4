/**
 * Sets up 32 threads instead of 4 for name lookups and files; call it before the rest of the program is loaded.
 *
 * The system's resolver blocks a thread for as long as a name server is silent, 10 s or more, and libuv gives lookups half of
 * the threads: with four, two names that nobody answered for held up all others for a minute. libuv reads the variable when it
 * first needs a thread; a number set by the user is kept.
 */
export function enlargeThreadPool(env: NodeJS.ProcessEnv): void {
  env['UV_THREADPOOL_SIZE'] ??= '32';
}
