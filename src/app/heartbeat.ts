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
  readonly healthProblems: () => readonly string[];
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
  const running = Promise.race([options.settled, stopped.promise]).then(() =>
    beatUntilAborted(stopping.signal, options),
  );
  return {
    stop: () => {
      stopping.abort(new Error('The heartbeat is stopping'));
      stopped.resolve();
      return running;
    },
  };
}

/** Never rejects. */
async function beatUntilAborted(signal: AbortSignal, options: HeartbeatOptions): Promise<void> {
  const { config, clock, log, metrics } = options;
  let lastOutcome: Beat['outcome'] = 'sent';
  while (!signal.aborted) {
    const { outcome, problem } = await sendBeat(signal, options);
    if (signal.aborted) return;
    metrics.heartbeats.inc({ outcome });
    if (outcome !== lastOutcome) log.log(outcome === 'sent' ? 'info' : 'warn', MESSAGES[outcome], { problem });
    lastOutcome = outcome;
    await pause(clock, config.everyMs, signal);
  }
}

/** What to log when the outcome changes. */
const MESSAGES = {
  sent: 'Heartbeats have resumed',
  withheld: 'Heartbeats are withheld because something is wrong',
  failed: 'Cannot send the heartbeat, trying again',
} as const;

interface Beat {
  readonly outcome: keyof typeof MESSAGES;
  readonly problem?: string;
}

/** Never rejects. */
async function sendBeat(signal: AbortSignal, options: HeartbeatOptions): Promise<Beat> {
  const { config, healthProblems, receivers, clock } = options;
  const problems = healthProblems();
  if (problems.length > 0) return { outcome: 'withheld', problem: problems.join('; ') };
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
