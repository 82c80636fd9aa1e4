/** All receivers of a process: one rate and one breaker per far end, pools of connections that they share. */
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
  /** One request that no rate holds and no breaker keeps back. Errors as in {@link Receiver.send}. */
  sendOnce(options: ReceiverOptions, request: OutgoingRequest): Promise<ReceiverResponse>;
  /** Of the far ends that somebody sends to now. */
  states(): readonly ReceiverState[];
  /** Ends the connections; what is still in flight then fails. */
  close(): Promise<void>;
}

/** Makes the way out. */
export function createReceivers(options: ReceiversOptions): Receivers {
  const { clock, metrics, log } = options;
  const connections = new Connections(options.env, options.lookup);
  const lines = new Map<string, Line>();

  return {
    receiver(wanted) {
      const place = JSON.stringify([wanted.url.origin, wanted.url.pathname, wanted.lane]);
      const line = lines.get(place) ?? createLine(wanted, options);
      lines.set(place, line);
      const { name: receiver } = wanted;
      metrics.breakerOpen.set({ receiver }, line.breaker.restsForMs === undefined ? 0 : 1);
      const forgetRate = line.rate.atMost(wanted.perSecond ?? 0, wanted.burst ?? 1);
      const onClose = (): void => {
        forgetRate();
        const sends = [...lines.values()].some(({ record }) => record.names.includes(receiver));
        if (!sends) metrics.breakerOpen.remove({ receiver });
      };
      if (wanted.tls?.insecureSkipVerify === true) {
        const fields = { receiver: wanted.name, host: wanted.url.host };
        log.warn('TLS verification is off: whoever is on the way can read and change what is sent', fields);
      }
      return new HttpReceiver(wanted, { way: connections.way(wanted), clock, metrics, line, onClose });
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

function createLine({ name, url }: ReceiverOptions, { clock, log, metrics }: ReceiversOptions): Line {
  const record = new ReceiverRecord(url.host);
  const show = (open: 0 | 1): void => {
    for (const receiver of record.names) metrics.breakerOpen.set({ receiver }, open);
  };
  const fields = { receiver: name, host: url.host };
  const breaker = new Breaker(clock, {
    opened(waitMs) {
      show(1);
      log.warn('Receiver fails repeatedly, deliveries to it wait', { ...fields, retryInMs: waitMs });
    },
    closed() {
      show(0);
      log.info('Receiver works again', fields);
    },
  });
  return { rate: new RateLimit(clock), breaker, record };
}
