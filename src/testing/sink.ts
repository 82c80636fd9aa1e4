/** A sink with a captured receiver, for tests of HTTP sinks. */
import type { TestContext } from 'node:test';
import type { HandlerDefinition, HandlerEnvironment, SinkInstance } from '../chain/handler.ts';
import { createReceivers, type Receivers } from '../delivery/receivers.ts';
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
  const receivers = testReceivers(t, clock);
  const server = await startReceiver(respond);
  t.after(() => server.close());
  const parsed = definition.options.parse(options(server.url));
  return { server, clock, sink: definition.create(parsed, testEnvironment({ ...environment, receivers, clock })) };
}

/** Receivers as the service makes them. They end with the test. */
export function testReceivers(t: TestContext, clock = new FakeClock()): Receivers {
  const receivers = createReceivers({ clock, metrics: createMetrics(), log: testEnvironment().log, env: {} });
  t.after(() => receivers.close());
  return receivers;
}
