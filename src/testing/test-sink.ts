/** A sink with a captured receiver, for tests of HTTP sinks. */
import type { TestContext } from 'node:test';
import type { HandlerDefinition, HandlerEnvironment, SinkInstance } from '../chain/handler.ts';
import { createReceivers, type Receivers, type ReceiversOptions } from '../delivery/receivers.ts';
import { createMetrics } from '../metrics.ts';
import { FakeClock } from './fake-clock.ts';
import { testEnvironment } from './handler.ts';
import { startReceiver, type CapturedReceiver, type CapturedRequest, type ReceiverAnswer } from './receiver.ts';

export interface ConnectedSink {
  readonly server: CapturedReceiver;
  readonly sink: SinkInstance;
  /** Stands still unless advanced. */
  readonly clock: FakeClock;
}

/**
 * The sink with a receiver that gives scripted answers. Both end with the test.
 * @param options returns the sink's options, as written in a configuration, for the receiver's URL
 */
export async function connectedSink(
  t: TestContext,
  definition: HandlerDefinition,
  options: (url: string) => object,
  respond?: (request: CapturedRequest, n: number) => ReceiverAnswer,
  environment: Partial<HandlerEnvironment> = {},
): Promise<ConnectedSink> {
  if (definition.type !== 'sink') throw new Error(`${definition.name} is not a sink`);
  const clock = new FakeClock();
  const receivers = receiversFor(t, { clock });
  const server = await startReceiver(respond);
  t.after(() => server.close());
  const parsed = definition.options.parse(options(server.url));
  return { server, clock, sink: definition.create(parsed, testEnvironment({ ...environment, receivers, clock })) };
}

/** Receivers as the service makes them. They end with the test. @param options default: a clock that stands still, no proxy */
export function receiversFor(t: TestContext, options: Partial<ReceiversOptions> = {}): Receivers {
  const { log } = testEnvironment();
  const receivers = createReceivers({ clock: new FakeClock(), metrics: createMetrics(), log, env: {}, ...options });
  t.after(() => receivers.close());
  return receivers;
}
