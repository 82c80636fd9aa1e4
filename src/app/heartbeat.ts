/** Tells a dead man's switch that all is well: regular requests, which stop if something is wrong. */
import { pause, type Clock } from '../clock.ts';
import type { HeartbeatConfig } from '../config/config.ts';
import type { Receivers } from '../delivery/receivers.ts';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';

export interface HeartbeatOptions {
  readonly config: HeartbeatConfig;
  /** Resolves when the first lists have ended or failed: nothing is sent before. */
  readonly settled: Promise<void>;
  /** What is wrong; empty if all is well. */
  readonly complaints: () => readonly string[];
  readonly receivers: Pick<Receivers, 'sendOnce'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface Heartbeat {
  /** Ends the request under way. Idempotent. */
  stop(): Promise<void>;
}

const TIMEOUT_MS = 10_000;

/** The first beat is sent as soon as `settled` resolves. */
export function startHeartbeat(options: HeartbeatOptions): Heartbeat {
  const stopping = new AbortController();
  const stopped = Promise.withResolvers<void>();
  const running = Promise.race([options.settled, stopped.promise]).then(() => beatUntil(stopping.signal, options));
  return {
    stop: () => {
      stopping.abort(new Error('The heartbeat is stopping'));
      stopped.resolve();
      return running;
    },
  };
}

/** Never rejects. */
async function beatUntil(signal: AbortSignal, options: HeartbeatOptions): Promise<void> {
  const { config, clock, log, metrics } = options;
  let last: Beat['outcome'] = 'sent';
  while (!signal.aborted) {
    const { outcome, problem } = await beat(signal, options);
    if (signal.aborted) return;
    metrics.heartbeats.inc({ outcome });
    if (outcome !== last) log.log(outcome === 'sent' ? 'info' : 'warn', WORDS[outcome], { problem });
    last = outcome;
    await pause(clock, config.everyMs, signal);
  }
}

/** What to log when the outcome changes. */
const WORDS = {
  sent: 'Heartbeats have resumed',
  withheld: 'Heartbeats are withheld because something is wrong',
  failed: 'Cannot send the heartbeat, trying again',
} as const;

interface Beat {
  readonly outcome: keyof typeof WORDS;
  readonly problem?: string;
}

/** Never rejects. */
async function beat(signal: AbortSignal, options: HeartbeatOptions): Promise<Beat> {
  const { config, complaints, receivers, clock } = options;
  const found = complaints();
  if (found.length > 0) return { outcome: 'withheld', problem: found.join('; ') };
  const timeoutMs = Math.min(TIMEOUT_MS, config.everyMs);
  const receiver = { name: 'heartbeat', url: new URL(config.url), timeoutMs };
  const idempotencyKey = `heartbeat ${clock.now()}`;
  try {
    await receivers.sendOnce(receiver, { method: config.method, body: '', idempotencyKey, signal });
    return { outcome: 'sent' };
  } catch (thrown) {
    return { outcome: 'failed', problem: toError(thrown).message };
  }
}
