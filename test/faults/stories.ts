/** What a receiver was told of each deployment, as a story of its replicas: whole, in order, and how much of it twice. */
import assert from 'node:assert/strict';
import type { CapturedRequest } from '../../src/testing/receiver.ts';
import { Waiters } from '../../src/testing/waiters.ts';
import type { Respond } from '../e2e/world.ts';

/** Only for a test that fails. */
const PATIENCE_MS = 60_000;

export interface Told {
  /** The idempotency key. */
  readonly key: string;
  /** `UPDATE deployment\ndefault/web-0`. */
  readonly object: string;
  readonly from: number;
  readonly to: number;
}

/** What a message says about the replicas of a deployment. */
export function told({ body, headers }: CapturedRequest): Told {
  const { attachments } = JSON.parse(body) as { attachments: { title: string; text: string }[] };
  const { title = '', text = '' } = attachments[0] ?? {};
  const [, from, to] = /replicas (\d+) -> (\d+)/.exec(text) ?? assert.fail(`No replicas in ${title}: ${text}`);
  return { key: String(headers['idempotency-key']), object: title, from: Number(from), to: Number(to) };
}

/**
 * Each object's story goes from 0 to `last` without a gap, in order; what comes twice has the key of what it repeats, and
 * says the same.
 */
export function assertWhole(
  requests: readonly CapturedRequest[],
  { objects, last }: { readonly objects: number; readonly last: number },
): { readonly repeated: number } {
  const stories = new Map<string, Told[]>();
  let repeated = 0;
  for (const message of requests.map(told)) {
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
  return { repeated };
}

/** A receiver's answers, and how to wait until each of `objects` has been told to `last`. */
export function toldTo(
  { objects, last }: { readonly objects: number; readonly last: number },
  answer: Respond = () => ({}),
): { readonly respond: Respond; readonly done: () => Promise<void> } {
  const finished = new Set<string>();
  const waiters = new Waiters();
  const respond: Respond = (request, n) => {
    const { object, to } = told(request);
    if (to === last) finished.add(object);
    waiters.check();
    return answer(request, n);
  };
  const what = () => `${objects} objects to be told to ${last}, but these only are: ${[...finished].join(', ')}`;
  return { respond, done: () => waiters.until(() => finished.size === objects, PATIENCE_MS, what) };
}
