import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SinkMemory } from '../../src/chain/handler.ts';
import { testMemory } from '../../src/testing/handler.ts';
import { agingMemory, context, THREADS, told, upgrade, workspace } from '../../src/testing/test-slack.ts';

describe('slack threads', () => {
  test('37 the first message of a key starts a thread; the completing one replies, adds a reaction and ends it', async (t) => {
    const { bot, calls } = await workspace(t);
    const sink = bot(THREADS);
    for (const reason of ['Upgrading', 'Progress', 'Upgraded', 'Upgrading'])
      await sink.deliver(upgrade(reason), context());
    await sink.deliver(upgrade('Upgrading', 'c2'), context());
    assert.deepEqual(told(calls()), [
      ['chat.postMessage', 'Upgrading', ''],
      ['chat.postMessage', 'Progress', '170000001.0'],
      ['chat.postMessage', 'Upgraded', '170000001.0'],
      ['reactions.add', 'white_check_mark', '170000001.0'],
      ['chat.postMessage', 'Upgrading', ''],
      ['chat.postMessage', 'Upgrading', ''],
    ]);
    assert.equal(calls()[1]?.body['channel'], 'C1', 'answers go to the channel by its id');
    assert.equal(calls()[3]?.body['channel'], 'C1');
  });

  test('a thread goes on after a restart', async (t) => {
    const { bot, calls } = await workspace(t);
    await bot(THREADS).deliver(upgrade('Upgrading'), context());
    await bot({ ...THREADS, completionEmoji: 'tada' }).deliver(upgrade('Upgraded'), context());
    assert.deepEqual(told(calls()).slice(1), [
      ['chat.postMessage', 'Upgraded', '170000001.0'],
      ['reactions.add', 'tada', '170000001.0'],
    ]);
  });

  test('a completing message without a thread, or a message without a key, starts no thread', async (t) => {
    const { bot, calls } = await workspace(t);
    const sink = bot(THREADS);
    await sink.deliver(upgrade('Upgraded'), context());
    await sink.deliver(upgrade('Upgrading'), context());
    const keyless = bot({ ...THREADS, threadKey: '{{ event.host }}' });
    await keyless.deliver(upgrade('Upgrading'), context());
    await keyless.deliver(upgrade('Upgrading'), context());
    assert.ok(told(calls()).every(([, , thread]) => thread === ''));
  });

  test('a thread goes on for as long as its messages are at most 30 days apart', async (t) => {
    const { aging, passDays } = agingMemory();
    const { bot, calls } = await workspace(t, undefined, aging);
    const sink = bot(THREADS);
    for (const days of [0, 20, 20, 31]) {
      passDays(days);
      await sink.deliver(upgrade('Progress'), context());
    }
    assert.deepEqual(
      told(calls()).map(([, , thread]) => thread),
      ['', '170000001.0', '170000001.0', ''],
    );
  });

  test('concurrent messages of a key share one thread', async (t) => {
    const { bot, calls } = await workspace(t);
    const sink = bot(THREADS);
    await Promise.all(['a', 'b', 'c'].map((reason) => sink.deliver(upgrade(reason), context())));
    assert.deepEqual(
      told(calls()).map(([, , thread]) => thread),
      ['', '170000001.0', '170000001.0'],
    );
  });

  test('a new thread is started when the parent message no longer exists', async (t) => {
    const { bot, calls } = await workspace(t, ({ body }) =>
      body['thread_ts'] === '170000001.0' ? 'thread_not_found' : undefined,
    );
    const sink = bot(THREADS);
    for (const reason of ['a', 'b', 'c']) await sink.deliver(upgrade(reason), context());
    assert.deepEqual(
      told(calls()).map(([, ...rest]) => rest),
      [
        ['a', ''],
        ['b', '170000001.0'],
        ['b', ''],
        ['c', '170000003.0'],
      ],
    );
  });

  for (const error of ['cannot_reply_to_message', 'restricted_action_thread_locked'])
    test(`a new thread is started when the old one takes no answers: ${error}`, async (t) => {
      const { bot, calls } = await workspace(t, ({ body }) =>
        body['thread_ts'] === '170000001.0' ? error : undefined,
      );
      const sink = bot(THREADS);
      for (const reason of ['a', 'b', 'c']) await sink.deliver(upgrade(reason), context());
      assert.deepEqual(
        told(calls()).map(([, , thread]) => thread),
        ['', '170000001.0', '', '170000003.0'],
      );
    });

  test('a thread is over even if its reaction is refused; a replay only reacts, and leaves the next thread alone', async (t) => {
    let scopes = ['chat:write'];
    const { bot, calls } = await workspace(t, ({ method }) =>
      method === 'reactions.add' && !scopes.includes('reactions:write') ? 'missing_scope' : undefined,
    );
    const sink = bot(THREADS);
    await sink.deliver(upgrade('Upgrading'), context());
    const last = context('the last');
    await assert.rejects(sink.deliver(upgrade('Upgraded'), last), { code: 'TERMINAL', message: /reactions:write/ });
    await sink.deliver(upgrade('Upgrading'), context());
    scopes = ['chat:write', 'reactions:write'];
    await sink.deliver(upgrade('Upgraded'), last);
    await sink.deliver(upgrade('Progress'), context());
    assert.deepEqual(told(calls()), [
      ['chat.postMessage', 'Upgrading', ''],
      ['chat.postMessage', 'Upgraded', '170000001.0'],
      ['reactions.add', 'white_check_mark', '170000001.0'],
      ['chat.postMessage', 'Upgrading', ''],
      ['reactions.add', 'white_check_mark', '170000001.0'],
      ['chat.postMessage', 'Progress', '170000004.0'],
    ]);
  });

  test('a failed reaction is retried without a second reply; already_reacted is a success', async (t) => {
    let reactions = 0;
    const { bot, calls } = await workspace(t, ({ method }) => {
      if (method !== 'reactions.add') return undefined;
      reactions += 1;
      return reactions === 1 ? 'internal_error' : 'already_reacted';
    });
    const sink = bot(THREADS);
    await sink.deliver(upgrade('Upgrading'), context());
    const last = context('the last');
    await assert.rejects(sink.deliver(upgrade('Upgraded'), last), { message: /reactions\.add: internal_error/ });
    await sink.deliver(upgrade('Upgraded'), last);
    await sink.deliver(upgrade('Upgrading'), context());
    assert.deepEqual(told(calls()), [
      ['chat.postMessage', 'Upgrading', ''],
      ['chat.postMessage', 'Upgraded', '170000001.0'],
      ['reactions.add', 'white_check_mark', '170000001.0'],
      ['reactions.add', 'white_check_mark', '170000001.0'],
      ['chat.postMessage', 'Upgrading', ''],
    ]);
  });

  test('nothing is posted twice if the store refuses what is to be remembered, and the thread goes on', async (t) => {
    const stored = testMemory();
    let isFull = true;
    const memory: SinkMemory = {
      ...stored,
      set: (key, value) => (isFull ? Promise.reject(new Error('the disk is full')) : stored.set(key, value)),
    };
    const { bot, calls } = await workspace(t, undefined, memory);
    const sink = bot(THREADS);
    await sink.deliver(upgrade('Upgrading'), context());
    await sink.deliver(upgrade('Upgrading', 'c2'), context());
    await sink.deliver(upgrade('Progress'), context());
    await sink.deliver(upgrade('Upgraded'), context());
    isFull = false;
    await sink.deliver(upgrade('Upgrading'), context());
    await bot(THREADS).deliver(upgrade('Progress', 'c2'), context());
    assert.deepEqual(told(calls()), [
      ['chat.postMessage', 'Upgrading', ''],
      ['chat.postMessage', 'Upgrading', ''],
      ['chat.postMessage', 'Progress', '170000001.0'],
      ['chat.postMessage', 'Upgraded', '170000001.0'],
      ['reactions.add', 'white_check_mark', '170000001.0'],
      ['chat.postMessage', 'Upgrading', ''],
      ['chat.postMessage', 'Progress', '170000002.0'],
    ]);
  });
});
