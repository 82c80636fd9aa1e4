import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../change.ts';
import { withNote } from '../change/lazy-change.ts';
import { countOf, sink, startTestChain, transform } from '../testing/test-chain.ts';
import { halt, type Halt, type HandlerDefinition } from './handler.ts';

declare module '../change.ts' {
  interface Notes {
    said?: string;
  }
}

/** A sink that returns an answer, and counts its calls. */
function answering(answer: (change: Change) => unknown): { readonly definition: HandlerDefinition; asked: number } {
  const counting = {
    asked: 0,
    definition: sink('asked', (change) => {
      counting.asked++;
      return Promise.resolve(answer(change) as Change | Halt | void);
    }),
  };
  return counting;
}

/** The handler after it, which first throws the given number of times. */
function last(seen: Change[], failures = 0): HandlerDefinition {
  let calls = 0;
  return transform('last', (change) => {
    if (++calls <= failures) throw new Error('not now');
    seen.push(change);
    return change;
  });
}

describe('a sink', () => {
  test('that halts ends the change, and is not run again after a restart', async (t) => {
    const seen: Change[] = [];
    const policy = answering(() => halt('nobody is on call'));
    const chain = await startTestChain(t, { handlers: [policy.definition, last(seen)] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.restart();
    await chain.advance(60_000);
    assert.deepEqual([policy.asked, seen.length], [1, 0]);
    assert.equal(await countOf(chain.metrics, 'ends_total', { end: 'halted' }), 1);
    const entry = chain.logged.find(({ message }) => message === 'Change halted');
    assert.deepEqual([entry?.['by'], entry?.['reason']], ['default/asked', 'nobody is on call']);
  });

  test('that returns nothing, or the change itself, is not run again when a later handler fails', async (t) => {
    for (const answer of [() => undefined, (change: Change) => change]) {
      const seen: Change[] = [];
      const policy = answering(answer);
      const chain = await startTestChain(t, { handlers: [policy.definition, last(seen, 1)] });
      await chain.accept('shop/web');
      await chain.runner.idle();
      await chain.advance(60_000);
      assert.deepEqual([policy.asked, seen.length], [1, 1]);
    }
  });

  test('that adds a note is run again when a later handler fails, which always sees the note', async (t) => {
    const seen: Change[] = [];
    const policy = answering((change) => withNote(change, 'said', 'yes'));
    const chain = await startTestChain(t, { handlers: [policy.definition, last(seen, 1)] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(60_000);
    assert.equal(policy.asked, 2);
    assert.deepEqual(
      seen.map(({ notes }) => notes.said),
      ['yes'],
    );
  });

  test('that returns anything else has delivered', async (t) => {
    const seen: Change[] = [];
    const policy = answering(() => ({ status: 200 }));
    const chain = await startTestChain(t, { handlers: [policy.definition, last(seen)] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.advance(60_000);
    assert.deepEqual([policy.asked, seen.length], [1, 1]);
  });
});
