/** A webhook with its receiver, for its tests. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Change } from '../change.ts';
import { codeOf } from '../errors.ts';
import { changeOf } from './change.ts';
import { testContext } from './handler.ts';
import type { CapturedRequest, ReceiverAnswer } from './receiver.ts';
import { connectedSink } from './test-sink.ts';
import webhook from '../../handlers/webhook/index.ts';

export const KEY = 'cluster-1|uid-1|updated:1|default/webhook';

export const deployment = (replicas: number, extra: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', ...extra },
  spec: { replicas },
});
export const scaled = changeOf({ before: deployment(1), after: deployment(3) });

export const event = (message: string) =>
  changeOf({
    after: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'web-1.17a', namespace: 'shop' },
      involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-1' },
      reason: 'BackOff',
      message,
      count: 3,
    },
  });

export const connected = (t: TestContext, options: object = {}, answer: ReceiverAnswer = {}) =>
  connectedSink(
    t,
    webhook,
    (url) => ({ url: `${url}/hook?x=1`, ...options }),
    () => answer,
  );

/** The only request that the change causes. */
export async function requestOf(t: TestContext, options: object, change: Change = scaled): Promise<CapturedRequest> {
  const { server, sink } = await connected(t, options);
  await sink.deliver(change, testContext({ idempotencyKey: KEY }));
  assert.equal(server.requests.length, 1);
  assert.ok(server.requests[0]);
  return server.requests[0];
}

export async function failureOf(t: TestContext, options: object, change: Change, answer?: ReceiverAnswer) {
  const { server, sink } = await connected(t, options, answer);
  const thrown: unknown = await sink.deliver(change, testContext()).then(
    () => assert.fail('it was delivered'),
    (failure: unknown) => failure,
  );
  assert.ok(thrown instanceof Error);
  return { requests: server.requests.length, code: codeOf(thrown), message: thrown.message };
}
