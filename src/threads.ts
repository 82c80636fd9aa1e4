/**
 * Called before the rest of the program is loaded: 32 threads for names and files in place of 4.
 *
 * The system's resolver holds a thread for as long as a name server says nothing, 10 s and more, and libuv lets names have half
 * of the threads: of four, two names that nobody answers for held up all others for a minute. The threads are made when the
 * first is needed, and are asked how many then; a number of one's own stays.
 */
export function makeRoomForNames(env: NodeJS.ProcessEnv): void {
  env['UV_THREADPOOL_SIZE'] ??= '32';
}
