/** Waiting, as long as anybody cares, for what cannot be stopped once it has begun. */

interface Settle {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Ends as what `begin` has begun ends, or with the signal's reason when that aborts first.
 * @throws the reason, with nothing begun, when it has aborted already
 */
export async function untilAborted(signal: AbortSignal, begin: (settle: Settle) => void): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  begin({ resolve, reject });
  return promise.finally(() => signal.removeEventListener('abort', abort));
}
