/** Waiting, until aborted, for work that cannot itself be cancelled. */

interface Settle {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Settles as `begin` settles it, or rejects with the signal's reason if that aborts first.
 * @throws the reason, without calling `begin`, if the signal has already aborted
 */
export async function untilAborted(signal: AbortSignal, begin: (settle: Settle) => void): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  begin({ resolve, reject });
  return unlessAborted(promise, signal);
}

/** The same for work already under way; after an abort its outcome is ignored. */
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
