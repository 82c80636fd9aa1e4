import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../change.ts';
import { withNote } from '../change/lazy-change.ts';
import { countOf, sink, stateful, startTestChain, transform } from '../testing/test-chain.ts';
import { halt, type HandlerDefinition } from './handler.ts';

declare module '../change.ts' {
  interface Notes {
    /** Left by handlers in these tests. */
    seenBy?: readonly string[];
  }
}

const noting = (name: string): HandlerDefinition =>
  transform(name, (change) => withNote(change, 'seenBy', [...(change.notes.seenBy ?? []), name]));

function recording(name: string, told: string[], fail: (change: Change) => boolean = () => false): HandlerDefinition {
  return sink(name, (change) => {
    if (fail(change)) return Promise.reject(new Error('boom'));
    told.push(`${name}: ${change.action} ${change.key} ${(change.notes.seenBy ?? []).join('+')}`.trimEnd());
    return Promise.resolve();
  });
}

async function balanceOf(chain: Awaited<ReturnType<typeof startTestChain>>) {
  const balances = await chain.store.balances();
  return balances.map(({ chain, completed, halted, dead, pending }) => [chain, completed, halted, dead, pending]);
}

describe('branches', () => {
  test('each receive what passed the handlers of the chain, with its notes, even when nested', async (t) => {
    const told: string[] = [];
    const chain = await startTestChain(t, {
      handlers: [noting('a')],
      branches: [
        { name: 'ops', handlers: [noting('b'), recording('slack', told)] },
        {
          name: 'team',
          handlers: [recording('log', told)],
          branches: [{ name: 'night', handlers: [noting('c'), recording('page', told)] }],
        },
      ],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    assert.deepEqual(told.toSorted(), [
      'log: added shop/web a',
      'page: added shop/web a+c',
      'slack: added shop/web a+b',
    ]);
    assert.deepEqual(await balanceOf(chain), [
      ['default', 1, 0, 0, 0],
      ['default/ops', 1, 0, 0, 0],
      ['default/team', 1, 0, 0, 0],
      ['default/team/night', 1, 0, 0, 0],
    ]);
  });

  test('do not receive the wake-up of a handler that was removed from the configuration', async (t) => {
    const told: string[] = [];
    const waking = stateful<null>('waking', (change, { now, wakeAt }) => {
      wakeAt(change.key, now + 60_000);
      return { verdict: change, state: null };
    });
    const chain = await startTestChain(t, {
      handlers: [waking],
      branches: [{ name: 'ops', handlers: [recording('slack', told)] }],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.restart(0, []);
    await chain.advance(60_000);
    assert.deepEqual(told, ['slack: added shop/web']);
    assert.deepEqual(await balanceOf(chain), [
      ['default', 1, 1, 0, 0],
      ['default/ops', 1, 0, 0, 0],
    ]);
    const halted = chain.logged.find(({ message }) => message === 'Change halted');
    assert.deepEqual([halted?.['action'], halted?.['by']], ['timer', 'default/waking']);
  });

  test('do not receive what was halted before them, and halt independently of each other', async (t) => {
    const told: string[] = [];
    const onlyWeb = (name: string) => transform(name, (change) => (change.name === 'web' ? change : halt('not web')));
    const chain = await startTestChain(t, {
      handlers: [transform('no db', (change) => (change.name === 'db' ? halt('db') : change))],
      branches: [
        { name: 'a', handlers: [onlyWeb('match'), recording('slack', told)] },
        { name: 'b', handlers: [recording('log', told)] },
      ],
    });
    await chain.accept('shop/db', 'shop/web', 'shop/api');
    await chain.runner.idle();
    assert.deepEqual(told.toSorted(), ['log: added shop/api', 'log: added shop/web', 'slack: added shop/web']);
    assert.deepEqual(await balanceOf(chain), [
      ['default', 2, 1, 0, 0],
      ['default/a', 1, 1, 0, 0],
      ['default/b', 2, 0, 0, 0],
    ]);
  });

  test('have attempts of their own: one that fails is retried alone, in the order of its object', async (t) => {
    const told: string[] = [];
    let failing = true;
    const chain = await startTestChain(t, {
      handlers: [recording('first', told)],
      branches: [
        { name: 'good', handlers: [recording('log', told)] },
        { name: 'bad', retry: { retries: 1 }, handlers: [recording('slack', told, () => failing)] },
      ],
    });
    await chain.accept('shop/web', 'shop/web');
    await chain.runner.idle();
    assert.deepEqual(told.splice(0).toSorted(), [
      'first: added shop/web',
      'first: updated shop/web',
      'log: added shop/web',
      'log: updated shop/web',
    ]);
    failing = false;
    await chain.advance(2_000);
    assert.deepEqual(told, ['slack: added shop/web', 'slack: updated shop/web']);
    assert.equal(await countOf(chain.metrics, 'attempts_total', { chain: 'default/bad', outcome: 'failed' }), 1);
    assert.equal(await countOf(chain.metrics, 'verdicts_total', { handler: 'default/bad/slack' }), 3);
  });

  test('continue after a restart with what was forked before it', async (t) => {
    const told: string[] = [];
    const slack = recording('slack', told, ({ flags }) => flags.replayed !== true);
    const chain = await startTestChain(t, {
      handlers: [noting('a')],
      branches: [{ name: 'bad', retry: { retries: 0 }, handlers: [slack] }],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    await chain.restart();
    const [letter] = await chain.store.deadLetters({ limit: 10 });
    assert.deepEqual([letter?.chain, letter?.handler], ['default/bad', 'default/bad/slack']);
    await chain.store.replay([letter?.id ?? 0]);
    await chain.runner.idle();
    assert.deepEqual(told, ['slack: added shop/web a']);
  });

  test('are not run with a note that JSON cannot hold: the attempt fails', async (t) => {
    const told: string[] = [];
    const circular = transform('circular', (change) => {
      const note: unknown[] = [];
      note.push(note);
      return withNote(change, 'seenBy', note as string[]);
    });
    const chain = await startTestChain(t, {
      handlers: [circular],
      branches: [{ name: 'a', handlers: [recording('log', told)] }],
      retry: { retries: 0 },
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    const [letter] = await chain.store.deadLetters({ limit: 10 });
    assert.equal(letter?.handler, 'default/circular');
    assert.match(letter.error, /cannot be written as JSON/);
    assert.deepEqual(told, []);
  });

  test('may be all that a chain has, and stateful handlers in two of them keep separate state', async (t) => {
    const told: string[] = [];
    const counting = stateful<number>('count', (change, { state = 0 }) => ({
      verdict: withNote(change, 'seenBy', [String(state + 1)]),
      state: state + 1,
    }));
    const chain = await startTestChain(t, {
      handlers: [],
      branches: ['a', 'b'].map((name) => ({ name, handlers: [counting, recording(name, told)] })),
    });
    await chain.accept('shop/web', 'shop/web');
    await chain.runner.idle();
    assert.deepEqual(told.toSorted(), [
      'a: added shop/web 1',
      'a: updated shop/web 2',
      'b: added shop/web 1',
      'b: updated shop/web 2',
    ]);
  });
});
