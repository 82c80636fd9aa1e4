/** Slack's Web API as a bot sees it: for the tests of handlers/slack. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import slack from '../../handlers/slack/index.ts';
import type { SinkInstance, SinkMemory } from '../chain/handler.ts';
import { changeOf } from './change.ts';
import { testContext, testEnvironment, testMemory } from './handler.ts';
import { startReceiver, type CapturedRequest, type ReceiverAnswer } from './receiver.ts';
import { receiversFor } from './test-sink.ts';

export interface Call {
  readonly method: string;
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

function callOf({ path, headers, body }: CapturedRequest): Call {
  const { authorization } = headers;
  return { method: path.replace('/api/', ''), authorization, body: JSON.parse(body) as Call['body'] };
}

/** Slack as a bot sees it: messages have a place, in a channel known by its id. */
export async function workspace(
  t: TestContext,
  refuse: (call: Call, n: number) => ReceiverAnswer | string | undefined = () => undefined,
  memory: SinkMemory = testMemory(),
) {
  const receivers = receiversFor(t);
  const server = await startReceiver((request, n) => {
    const call = callOf(request);
    const refused = refuse(call, n);
    if (typeof refused === 'object') return refused;
    const answer =
      refused === undefined ? { ok: true, channel: 'C1', ts: `17000000${n}.0` } : { ok: false, error: refused };
    return { body: JSON.stringify(answer) };
  });
  t.after(() => server.close());
  const bot = (options: object): SinkInstance => {
    assert.equal(slack.type, 'sink');
    const given = { token: 'xoxb-c4nary', channel: '#ops', apiURL: `${server.url}/api`, messagesPerSecond: 0 };
    const parsed = slack.options.parse({ ...given, ...options });
    return slack.create(parsed, testEnvironment({ receivers, memory, clusterName: 'prod' }));
  };
  const calls = () => server.requests.map(callOf);
  return { bot, calls, url: server.url };
}

/** A memory that forgets what was not written for 30 days, like that of the store. */
export function agingMemory() {
  const memory = testMemory();
  const writtenOn = new Map<string, number>();
  let today = 0;
  const aging: SinkMemory = {
    get: async (key) => (today - (writtenOn.get(key) ?? -Infinity) > 30 ? undefined : memory.get(key)),
    set: async (key, value) => {
      writtenOn.set(key, today);
      await memory.set(key, value);
    },
  };
  return { aging, passDays: (days: number) => void (today += days) };
}

/** An Event of a cluster's upgrade. */
export const upgrade = (reason: string, cluster = 'c1', message = '') =>
  changeOf({
    after: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${cluster}.${reason}`, namespace: 'default' },
      involvedObject: { kind: 'Cluster', name: cluster },
      reason,
      message,
      type: 'Normal',
    },
  });

export const THREADS = {
  message: '{{ event.reason }}',
  threadKey: '{{ event.involvedObject.name }}',
  completionCondition: "{% if event.reason == 'Upgraded' %}yes{% endif %}",
};

let attempts = 0;
/** A new change each time; the same one for the same `key`. */
export const context = (key = `change ${++attempts}`) => testContext({ idempotencyKey: key });

/** What was posted where, and what with. */
export const told = (calls: readonly Call[]) =>
  calls.map(({ method, body }) => [method, body['text'] ?? body['name'], body['thread_ts'] ?? body['timestamp'] ?? '']);
