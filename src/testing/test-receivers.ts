/** Receivers on a clock that tests move, and what a failed request to one says. */
import assert from 'node:assert/strict';
import type { LookupFunction } from 'node:net';
import { inspect } from 'node:util';
import type { TestContext } from 'node:test';
import { FakeClock } from './fake-clock.ts';
import { startReceiver, type ReceiverAnswer } from './receiver.ts';
import { receiversFor } from './test-sink.ts';
import type { Receiver, ReceiverOptions } from '../delivery/receiver.ts';

export const SECRET = 'XXXXSECRETXXXX';

export interface TestReceivers {
  readonly clock: FakeClock;
  readonly receiver: (url: string, options?: Partial<ReceiverOptions>) => Receiver;
}

export function testReceivers(t: TestContext, env: NodeJS.ProcessEnv = {}, lookup?: LookupFunction): TestReceivers {
  const clock = new FakeClock();
  const receivers = receiversFor(t, { clock, env, lookup });
  return {
    clock,
    receiver: (url, options) => receivers.receiver({ name: 'slack', url: new URL(url), ...options }),
  };
}

let keys = 0;
export function send(receiver: Receiver, key = `key-${++keys}`, signal = new AbortController().signal) {
  return receiver.send({ body: '{}', idempotencyKey: key, signal });
}

export async function failureOf(
  sending: Promise<unknown>,
): Promise<Error & { readonly code?: string; retryAfterMs?: number }> {
  const failure = await sending.then(
    () => assert.fail('it was sent'),
    (thrown: unknown) => thrown,
  );
  assert.ok(failure instanceof Error);
  assert.doesNotMatch(inspect(failure, { depth: 10, showHidden: true }), new RegExp(SECRET), 'holds the URL');
  return failure;
}

export async function failureOfAnswer(t: TestContext, answer: ReceiverAnswer) {
  const server = await startReceiver(() => answer);
  t.after(() => server.close());
  return failureOf(send(testReceivers(t).receiver(`${server.url}/services/T0/${SECRET}?token=${SECRET}`)));
}
