/** All receivers of a process: one rate and one breaker per far end, and shared connection pools. */
import type { LookupFunction } from 'node:net';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { Breaker } from './breaker.ts';
import { Connections } from './connections.ts';
import { HttpReceiver, type Line } from './http-receiver.ts';
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
  readonly lookup?: LookupFunction;
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
  const lines = new Map<string, Line>();
  /** A sink may send to several far ends, as a bot does: a healthy one must not hide a failing one. */
  const show = (receiver: string): void => {
    const its = [...lines.values()].filter(({ record }) => record.names.includes(receiver));
    if (its.length === 0) return metrics.breakerOpen.remove({ receiver });
    metrics.breakerOpen.set({ receiver }, its.some(({ breaker }) => breaker.restsForMs !== undefined) ? 1 : 0);
  };

  return {
    receiver(wanted) {
      const place = placeOf(wanted);
      const line = lines.get(place) ?? createLine(wanted, show, options);
      lines.set(place, line);
      const forgetRate = line.rate.atMost(wanted.perSecond ?? 0, wanted.burst ?? 1);
      const onClose = (): void => {
        forgetRate();
        show(wanted.name);
      };
      if (wanted.tls?.insecureSkipVerify === true) {
        const fields = { receiver: wanted.name, host: wanted.url.host };
        log.warn('TLS verification is off: anyone on the network path can read and change what is sent', fields);
      }
      const receiver = new HttpReceiver(wanted, { way: connections.way(wanted), clock, metrics, line, onClose });
      show(wanted.name);
      return receiver;
    },
    sendOnce(wanted, request) {
      const breaker = new Breaker(clock, { opened: () => undefined, closed: () => undefined });
      const line = { rate: new RateLimit(clock), breaker, record: new ReceiverRecord(wanted.url.host) };
      const way = connections.way(wanted);
      return new HttpReceiver(wanted, { way, clock, metrics, line, onClose: () => undefined }).send(request);
    },
    states: () =>
      [...lines.values()].flatMap(({ record, breaker }) => record.state(clock.now(), breaker.restsForMs) ?? []),
    close: () => connections.close(),
  };
}

/** Includes credentials, as refused ones must not hold up others at the same address. Only for memory: contains secrets. */
function placeOf({ url, lane, secrets }: ReceiverOptions): string {
  return JSON.stringify([url.origin, url.pathname, url.search, lane, url.username, url.password, secrets]);
}

function createLine(
  { name, url }: ReceiverOptions,
  show: (receiver: string) => void,
  { clock, log }: ReceiversOptions,
): Line {
  const record = new ReceiverRecord(url.host);
  // The current senders: a reload may have changed them.
  const fields = () => ({ receiver: record.names.join(', ') || name, host: url.host });
  const breaker = new Breaker(clock, {
    opened(waitMs) {
      record.names.forEach(show);
      log.warn('Receiver fails repeatedly, deliveries to it wait', { ...fields(), retryInMs: waitMs });
    },
    closed() {
      record.names.forEach(show);
      log.info('Receiver works again', fields());
    },
  });
  return { rate: new RateLimit(clock), breaker, record };
}
