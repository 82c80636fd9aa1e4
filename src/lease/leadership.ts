/**
 * Leader election by the rules of client-go (https://pkg.go.dev/k8s.io/client-go/tools/leaderelection): the holder of the Lease
 * works, the others wait. Only our own clock counts, from when a renewal was seen; the times in the Lease are for people.
 *
 * With the default duration of 15 s the holder renews every 2 s and stops 10 s after it sent the last successful renewal;
 * another takes over when it has seen no renewal for 15 s. So there are at least 5 s in between, provided that no request takes
 * longer than that to arrive.
 */
import type { Clock } from '../clock.ts';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { ApiClient } from '../source/api.ts';
import type { Term } from '../store/epoch.ts';
import {
  LeaseClient,
  nameOf,
  type RequestLimits,
  type Claim,
  type LeaseName,
  type LeaseObject,
} from './lease-object.ts';
import { LeaseProblemLog } from './problem-log.ts';

/** client-go's 15, 10 and 2 s. */
const RENEW_DEADLINE_SHARE = 10 / 15;
const RETRY_PERIOD_SHARE = 2 / 15;
/** The reason for a loss if nothing more specific is known. */
const NOT_RENEWED = 'it was not renewed in time';

export interface Leadership {
  /** For the store: see {@link Term}. */
  readonly term: Term;
  /**
   * Whether, by our own clock, nobody else can have it yet: asked right before acting. False once it was not
   * renewed in time, even if the process was frozen meanwhile.
   */
  isHeld(): boolean;
  /** Rejects when it is lost; never resolves. */
  readonly lost: Promise<never>;
  /** Gives it back, so that a successor need not wait for it to expire. Idempotent; never rejects. */
  release(): Promise<void>;
}

export interface LeadershipOptions {
  readonly api: ApiClient;
  readonly at: LeaseName;
  /** Unique among all candidates. */
  readonly identity: string;
  /** Milliseconds, a multiple of 1,000. */
  readonly durationMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Waits until the Lease is ours, for as long as it takes. Rejects when `signal` aborts. */
export async function acquireLeadership(options: LeadershipOptions): Promise<Leadership> {
  const { at, clock, log, signal, durationMs, identity } = options;
  const candidate = new Candidate(options);
  const problems = new LeaseProblemLog(options);
  for (;;) {
    let waitMs = durationMs * RETRY_PERIOD_SHARE;
    try {
      const result = await candidate.tryAcquire();
      problems.resolve();
      if ('held' in result) {
        log.info('Holding the lease', { lease: nameOf(at), identity, transitions: result.held.transitions });
        return new Holder(options, result.held, result.requestedAt);
      }
      waitMs = Math.min(waitMs, result.freeInMs);
    } catch (thrown) {
      signal.throwIfAborted();
      problems.report(toError(thrown).message);
    }
    await clock.sleep(waitMs, signal);
  }
}

type AcquireResult = { readonly held: LeaseObject; readonly requestedAt: number } | { readonly freeInMs: number };

/** A process that wants the Lease. */
class Candidate {
  readonly #options: LeadershipOptions;
  readonly #lease: LeaseClient;
  /** The last renewal that we have seen, when, and for how long it holds. */
  #seen: { readonly fingerprint: string; readonly at: number; readonly durationMs: number } | undefined;
  #lastHolder: string | undefined;

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#lease = new LeaseClient(options.api, options.at);
  }

  async tryAcquire(): Promise<AcquireResult> {
    const { clock, signal, durationMs } = this.#options;
    const limits = { signal, timeoutMs: durationMs * RENEW_DEADLINE_SHARE };
    const found = await this.#lease.read(limits);
    // A holder still at work creates a deleted Lease again at its next renewal.
    const freeInMs = found === undefined ? this.#seenFreeInMs() : this.#freeInMs(found);
    if (freeInMs > 0) return { freeInMs };
    const requestedAt = clock.steady();
    const claim = claimOf(this.#options, found === undefined ? 0 : found.transitions + 1, clock.now());
    const held =
      found === undefined ? await this.#lease.create(claim, limits) : await this.#lease.update(found, claim, limits);
    // Another process was faster.
    return held === undefined ? { freeInMs: durationMs * RETRY_PERIOD_SHARE } : { held, requestedAt };
  }

  #freeInMs({ holder, fingerprint, durationMs = this.#options.durationMs }: LeaseObject): number {
    const { clock, log, at, identity } = this.#options;
    // If it is ours, it was written but the answer was lost.
    if (holder === undefined || holder === identity) return 0;
    if (holder !== this.#lastHolder) log.info('Waiting for the lease', { lease: nameOf(at), holder });
    this.#lastHolder = holder;
    const seenAt = this.#seen?.fingerprint === fingerprint ? this.#seen.at : clock.steady();
    this.#seen = { fingerprint, at: seenAt, durationMs };
    return this.#seenFreeInMs();
  }

  #seenFreeInMs(): number {
    if (this.#seen === undefined) return 0;
    return Math.max(0, this.#seen.at + this.#seen.durationMs - this.#options.clock.steady());
  }
}

class Holder implements Leadership {
  readonly term: Term;
  readonly lost: Promise<never>;
  readonly #options: LeadershipOptions;
  readonly #lease: LeaseClient;
  readonly #acquiredAt: number;
  readonly #stopping = new AbortController();
  readonly #renewing: Promise<void>;
  readonly #loss = Promise.withResolvers<never>();
  #object: LeaseObject;
  /** When the last successful renewal was sent, before anyone can have seen it. */
  #renewedAt: number;
  #isLost = false;
  #released: Promise<void> | undefined;

  constructor(options: LeadershipOptions, object: LeaseObject, requestedAt: number) {
    this.#options = options;
    this.#lease = new LeaseClient(options.api, options.at);
    this.#object = object;
    this.#renewedAt = requestedAt;
    this.#acquiredAt = options.clock.now();
    this.term = { lease: object.uid, number: object.transitions };
    this.lost = this.#loss.promise;
    // Not waiting for it is allowed, and must not be an unhandled rejection.
    this.lost.catch(() => {});
    this.#renewing = this.#keepRenewing();
  }

  isHeld(): boolean {
    return !this.#isLost && this.#leftMs() > 0;
  }

  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  #leftMs(): number {
    const { clock, durationMs } = this.#options;
    return this.#renewedAt + durationMs * RENEW_DEADLINE_SHARE - clock.steady();
  }

  async #keepRenewing(): Promise<void> {
    const { clock, durationMs } = this.#options;
    const { signal } = this.#stopping;
    const everyMs = durationMs * RETRY_PERIOD_SHARE;
    let problem = NOT_RENEWED;
    while (this.#leftMs() > 0 && !signal.aborted) {
      try {
        await clock.sleep(Math.min(everyMs, this.#leftMs()), signal);
        if (this.#leftMs() <= 0) break;
        await this.#renew();
        problem = NOT_RENEWED;
      } catch (thrown) {
        if (signal.aborted) return;
        // That time ran out does not tell why; the previous problem does.
        if (thrown instanceof ExpiredError) break;
        problem = toError(thrown).message;
        if (thrown instanceof TakenError) break;
        this.#warn(problem);
      }
    }
    if (signal.aborted) return;
    this.#isLost = true;
    this.#loss.reject(
      new Error(`The lease ${nameOf(this.#options.at)} was lost: ${problem}; this process stops processing changes`),
    );
  }

  /** @throws TakenError if another process holds it, or any other error if it may still be renewed later */
  async #renew(): Promise<void> {
    const { clock, durationMs } = this.#options;
    const timeout = new AbortController();
    // As in client-go: a hanging connection leaves time for another try.
    const attemptTimeoutMs = (durationMs * RENEW_DEADLINE_SHARE) / 2;
    const leftMs = this.#leftMs();
    // By the same clock as everything here; the request's own deadline uses system time.
    const cancel = clock.after(Math.min(leftMs, attemptTimeoutMs), () => {
      // Checked again: the process may have been frozen during the request.
      const isOver = leftMs < attemptTimeoutMs || this.#leftMs() <= 0;
      timeout.abort(isOver ? new ExpiredError() : new Error(`no answer within ${attemptTimeoutMs / 1_000} s`));
    });
    const requestedAt = clock.steady();
    try {
      this.#object = await this.#write(this.#claim(), { signal: timeout.signal, timeoutMs: 2 * attemptTimeoutMs });
      this.#renewedAt = requestedAt;
    } finally {
      cancel();
    }
  }

  /** Overwrites others' edits such as a label, or recreates a deleted Lease, as long as no other process holds it. */
  async #write(claim: Claim, limits: RequestLimits): Promise<LeaseObject> {
    const written = await this.#lease.update(this.#object, claim, limits);
    if (written !== undefined) return written;
    const found = await this.#lease.read(limits);
    if (found !== undefined && found.holder !== this.#options.identity) throw new TakenError(found.holder);
    const retry = found === undefined ? this.#lease.create(claim, limits) : this.#lease.update(found, claim, limits);
    const rewritten = await retry;
    if (rewritten === undefined) throw new Error('another client is writing to it at the same time');
    return rewritten;
  }

  async #release(): Promise<void> {
    const { at, log, durationMs } = this.#options;
    this.#stopping.abort(new Error('The lease is being released'));
    await this.#renewing;
    if (!this.isHeld()) return;
    this.#isLost = true;
    try {
      const limits = {
        signal: AbortSignal.timeout(durationMs * RETRY_PERIOD_SHARE),
        timeoutMs: durationMs * RETRY_PERIOD_SHARE,
      };
      await this.#write({ ...this.#claim(), holder: undefined }, limits);
      log.debug('Released the lease', { lease: nameOf(at) });
    } catch (thrown) {
      const problem = toError(thrown).message;
      log.warn('Could not release the lease: the next process waits until it expires', { lease: nameOf(at), problem });
    }
  }

  #claim(): Claim {
    return claimOf(this.#options, this.#object.transitions, this.#acquiredAt);
  }

  #warn(problem: string): void {
    const { at, log } = this.#options;
    const leftMs = Math.max(0, Math.round(this.#leftMs()));
    log.warn('Cannot renew the lease, trying again', { lease: nameOf(at), problem, leftMs });
  }
}

/** Another process holds it, so renewing is pointless. */
class TakenError extends Error {
  override readonly name = 'TakenError';
  constructor(holder = 'nobody') {
    super(`it is held by ${holder}`);
  }
}

/** The Lease expired before the answer came. */
class ExpiredError extends Error {
  override readonly name = 'ExpiredError';
}

function claimOf({ identity, durationMs, clock }: LeadershipOptions, transitions: number, acquiredAt: number): Claim {
  return { holder: identity, durationMs, transitions, acquiredAt, renewedAt: clock.now() };
}
