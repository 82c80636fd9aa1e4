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
  begin({ resolve, reject });
  return unlessAborted(promise, signal);
}

/** The same of work that has begun: how it ends then is nobody's business any more. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
