/** All receivers of a process: one rate and one breaker per far end, and shared connection pools. */
import type { LookupFunction } from 'node:net';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { Breaker } from './breaker.ts';
import { MAX_RETRY_AFTER_MS } from './classify.ts';
import { Connections } from './connections.ts';
import { HttpReceiver, type FarEnd } from './http-receiver.ts';
import { RateLimit } from './rate-limit.ts';
import { ReceiverRecord } from './receiver-record.ts';
import type { OutgoingRequest, ReceiverFactory, ReceiverOptions, ReceiverResponse, ReceiverState } from './receiver.ts';

export interface ReceiversOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** For `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. */
  readonly env: NodeJS.ProcessEnv;
  /** Resolves the names of receivers; the system's by default. */
  readonly lookup?: LookupFunction | undefined;
}

export interface Receivers extends ReceiverFactory {
  /** Sends one request, subject to no rate or breaker. Errors as in {@link Receiver.send}. */
  sendOnce(options: ReceiverOptions, request: OutgoingRequest): Promise<ReceiverResponse>;
  /** The states of the far ends currently in use. */
  states(): readonly ReceiverState[];
  /** Closes the connections; requests in flight fail. */
  close(): Promise<void>;
}

/** Creates the receivers of a process. */
export function createReceivers(options: ReceiversOptions): Receivers {
  const { clock, metrics, log } = options;
  const connections = new Connections(options.env, options.lookup);
  const farEnds = new Map<string, FarEnd>();
  /** Since when nobody sends there, in monotonic time. */
  const unusedSince = new Map<string, number>();
  /** A reload closes a sink and opens its successor, which goes on with rate and breaker. One that is not back by now will not come. */
  const forgetUnused = (): void => {
    for (const [key, since] of unusedSince) {
      if (clock.monotonic() - since <= MAX_RETRY_AFTER_MS) continue;
      unusedSince.delete(key);
      farEnds.delete(key);
    }
  };
  /** A sink may send to several far ends, as a bot does: a healthy one must not hide a failing one. */
  const updateBreakerGauge = (receiver: string): void => {
    const itsFarEnds = [...farEnds.values()].filter(({ record }) => record.names.includes(receiver));
    if (itsFarEnds.length === 0) return metrics.breakerOpen.remove({ receiver });
    metrics.breakerOpen.set({ receiver }, itsFarEnds.some(({ breaker }) => breaker.restsForMs !== undefined) ? 1 : 0);
  };

  return {
    receiver(receiverOptions) {
      forgetUnused();
      const key = farEndKey(receiverOptions);
      const farEnd = farEnds.get(key) ?? createFarEnd(receiverOptions, updateBreakerGauge, options);
      farEnds.set(key, farEnd);
      unusedSince.delete(key);
      const withdrawRate = farEnd.rate.addLimit(receiverOptions.perSecond ?? 0, receiverOptions.burst ?? 1);
      const onClose = (): void => {
        withdrawRate();
        if (farEnd.record.names.length === 0) unusedSince.set(key, clock.monotonic());
        updateBreakerGauge(receiverOptions.name);
      };
      if (receiverOptions.tls?.insecureSkipVerify === true) {
        const fields = { receiver: receiverOptions.name, host: receiverOptions.url.host };
        log.warn('TLS verification is off: anyone on the network path can read and change what is sent', fields);
      }
      const receiver = new HttpReceiver(receiverOptions, {
        route: connections.route(receiverOptions),
        clock,
        metrics,
        farEnd,
        onClose,
      });
      updateBreakerGauge(receiverOptions.name);
      return receiver;
    },
    sendOnce(receiverOptions, request) {
      const breaker = new Breaker(clock, { opened: () => undefined, closed: () => undefined });
      const farEnd = { rate: new RateLimit(clock), breaker, record: new ReceiverRecord(receiverOptions.url.host) };
      const route = connections.route(receiverOptions);
      return new HttpReceiver(receiverOptions, { route, clock, metrics, farEnd, onClose: () => undefined }).send(
        request,
      );
    },
    states: () =>
      [...farEnds.values()].flatMap(({ record, breaker }) => record.state(clock.now(), breaker.restsForMs) ?? []),
    close: () => connections.close(),
  };
}

/**
 * Includes credentials and what a connection needs: wrong ones must not hold up others at the same address, nor the right ones
 * after a reload. Only for memory: contains secrets.
 */
function farEndKey(options: ReceiverOptions): string {
  const { url, lane, secrets, signingSecrets, tls, allowAddresses } = options;
  const { origin, pathname, search, username, password } = url;
  const credentials = [username, password, secrets, signingSecrets];
  return JSON.stringify([origin, pathname, search, lane, credentials, tls, allowAddresses]);
}

function createFarEnd(
  { name, url }: ReceiverOptions,
  updateBreakerGauge: (receiver: string) => void,
  { clock, log }: ReceiversOptions,
): FarEnd {
  const record = new ReceiverRecord(url.host);
  // The current senders: a reload may have changed them.
  const fields = () => ({ receiver: record.names.join(', ') || name, host: url.host });
  const breaker = new Breaker(clock, {
    opened(waitMs) {
      record.names.forEach(updateBreakerGauge);
      log.warn('Receiver fails repeatedly, deliveries to it wait', { ...fields(), retryInMs: waitMs });
    },
    closed() {
      record.names.forEach(updateBreakerGauge);
      log.info('Receiver works again', fields());
    },
  });
  return { rate: new RateLimit(clock), breaker, record };
}
