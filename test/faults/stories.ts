/** What a receiver got about each deployment, as a story of its replicas: complete, in order, and how much of it twice. */
import assert from 'node:assert/strict';
import type { ApiServer } from '../../src/testing/api-server.ts';
import type { CapturedRequest } from '../../src/testing/receiver.ts';
import { Waiters } from '../../src/testing/waiters.ts';
import { deployment } from '../e2e/cluster.ts';
import type { Respond } from '../e2e/world.ts';

/** Reached only by failing tests. */
const PATIENCE_MS = 60_000;

/** The number of objects, and of replicas that each has in the end. */
export interface End {
  readonly objects: number;
  readonly last: number;
}

export interface ReplicaChange {
  /** The idempotency key of the message; if it has several changes, with the object. */
  readonly key: string;
  /** `default/web-0`. */
  readonly object: string;
  readonly from: number;
  readonly to: number;
}

interface Cluster {
  readonly server: ApiServer;
}

/** Deployments `web-0` to `web-<objects - 1>`, without replicas. */
export function createAll({ server }: Cluster, objects: number): void {
  for (let n = 0; n < objects; n++) server.create(deployment(`web-${n}`, 'nginx', 0));
}

export function scaleAll({ server }: Cluster, objects: number, replicas: number): void {
  for (let n = 0; n < objects; n++) server.update(deployment(`web-${n}`, 'nginx', replicas));
}

interface Message {
  readonly text?: string;
  readonly attachments?: readonly { readonly title: string; readonly text?: string }[];
}

/** What a message says about the replicas of one deployment, or, line by line, of many. */
export function replicaChangesIn({ body, headers }: CapturedRequest): readonly ReplicaChange[] {
  const { text = '', attachments = [] } = JSON.parse(body) as Message;
  const key = String(headers['idempotency-key']);
  const parseStory = (object: string, line: string, ofMany: boolean): ReplicaChange => {
    const [, from, to] = /replicas (\d+) -> (\d+)/.exec(line) ?? assert.fail(`No replicas of ${object} in ${body}`);
    return { key: ofMany ? `${key} ${object}` : key, object, from: Number(from), to: Number(to) };
  };
  const ones = attachments.map(({ title, text: line = '' }) =>
    parseStory(title.replace(/^.*\n/, ''), line, attachments.length > 1),
  );
  const lines = text.matchAll(/^(?:```)?(web-\d+): (.*)$/gm);
  const all = [...ones, ...[...lines].map(([, name = '', line = '']) => parseStory(`default/${name}`, line, true))];
  assert.ok(all.length > 0, `Nobody is told of in ${body}`);
  return all;
}

/**
 * Asserts that each object's story goes from 0 to `last` in order, without a gap, and that a repetition has the same key and
 * content as its original. Returns how many changes were sent, and how many of them repeatedly.
 */
export function assertComplete(
  requests: readonly CapturedRequest[],
  { objects, last }: End,
): { readonly sent: number; readonly repeated: number } {
  const stories = new Map<string, ReplicaChange[]>();
  const reported = requests.flatMap(replicaChangesIn);
  let repeated = 0;
  for (const message of reported) {
    const story = stories.get(message.object) ?? [];
    stories.set(message.object, story);
    const before = story.at(-1);
    if (before?.key === message.key) {
      assert.deepEqual(message, before);
      repeated += 1;
      continue;
    }
    assert.equal(message.from, before?.to ?? 0, `${message.object} goes on from where it was`);
    story.push(message);
  }
  assert.equal(stories.size, objects);
  for (const [object, story] of stories) assert.equal(story.at(-1)?.to, last, `${object} is told to its end`);
  return { sent: reported.length, repeated };
}

/** A receiver's answers, its requests, and a way to wait until it got each of `objects` up to `last`. */
export function trackingReceiver(
  { objects, last }: End,
  answer: Respond = () => ({}),
): { readonly respond: Respond; readonly taken: readonly CapturedRequest[]; readonly done: () => Promise<void> } {
  const finished = new Set<string>();
  const taken: CapturedRequest[] = [];
  const waiters = new Waiters();
  const respond: Respond = (request, n) => {
    taken.push(request);
    for (const { object, to } of replicaChangesIn(request)) if (to === last) finished.add(object);
    waiters.check();
    return answer(request, n);
  };
  const what = () => `${objects} objects to be told to ${last}, but these only are: ${[...finished].join(', ')}`;
  return { respond, taken, done: () => waiters.until(() => finished.size === objects, PATIENCE_MS, what) };
}
