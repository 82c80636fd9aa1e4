import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Change } from '../src/change.ts';
import { withNote } from '../src/change/lazy-change.ts';
import { remarksOf } from '../src/change/remarks.ts';
import { changeOf } from '../src/testing/change.ts';
import { problemsOf } from '../src/testing/handler.ts';
import { rehearse } from '../src/testing/rehearse.ts';
import { boom, configured, grouping, recording, startTestChain, transform } from '../src/testing/test-chain.ts';
import type { LastingNote } from './lasting/note.ts';
import type { AlertNote } from './podAlerts/alert.ts';
import once from './once.ts';

const HOUR_MS = 3_600_000;
const BY_NAMESPACE = { key: '{{ change.namespace }}', within: '4h' };

/** A chain of `once` and a sink. */
async function start(t: TestContext, given: object, fail?: (n: number) => unknown) {
  const told: Change[] = [];
  const chain = await startTestChain(t, { handlers: [configured(once, given), recording('sink', told, fail)] });
  const tell = async (...keys: string[]): Promise<string[]> => {
    await chain.accept(...keys);
    await chain.runner.idle();
    return told.splice(0).map((change) => [change.key, ...remarksOf(change)].join(' · '));
  };
  return {
    chain,
    told,
    /** Accepts the changes, lets the chain work, and returns what it delivered meanwhile. */
    tell,
    states: async () => (await chain.store.statesOf('default/once')).length,
  };
}

const reasonsOf = async (given: Record<string, unknown>, ...changes: Change[]) => {
  const rehearsal = await rehearse(once, { options: given, changes });
  return rehearsal.changes.map(({ verdict, reason }) => reason ?? verdict);
};

const pod = (name: string, more: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', uid: name, ...more },
});

const HALTED = 'once in 4h: the last one passed at 2026-01-01T00:00:00.000Z';

describe('once', () => {
  test('passes the first change of a key and halts the others, whatever their object, until the time is over', async (t) => {
    const { chain, tell } = await start(t, BY_NAMESPACE);
    assert.deepEqual(await tell('shop/web'), ['shop/web']);
    assert.deepEqual(await tell('shop/api', 'ops/web', 'shop/web'), ['ops/web']);
    await chain.advance(4 * HOUR_MS - 1);
    assert.deepEqual(await tell('shop/db'), []);
    await chain.advance(1);
    assert.deepEqual(await tell('shop/db'), ['shop/db · 3 more in the last 4h were not reported']);
    assert.deepEqual(await tell('shop/db'), []);
  });

  test('says when the last one passed', async () => {
    const [first, second] = [changeOf({ after: pod('a') }), changeOf({ after: pod('b') })];
    assert.deepEqual(await reasonsOf(BY_NAMESPACE, first, second), ['pass', HALTED]);
    assert.deepEqual(await reasonsOf({ ...BY_NAMESPACE, atMost: 2 }, first, second, first), [
      'pass',
      'pass',
      '2 times in 4h: the last one passed at 2026-01-01T00:00:00.000Z',
    ]);
  });

  test('with atMost, passes another one as soon as the first of them is old enough', async (t) => {
    const { chain, tell } = await start(t, { ...BY_NAMESPACE, atMost: 2 });
    assert.deepEqual(await tell('shop/a'), ['shop/a']);
    await chain.advance(HOUR_MS);
    assert.deepEqual(await tell('shop/b', 'shop/c'), ['shop/b']);
    await chain.advance(3 * HOUR_MS);
    assert.deepEqual(await tell('shop/d', 'shop/e'), ['shop/d · 1 more in the last 3h was not reported']);
  });

  test('leaves a note that templates can read', async (t) => {
    const { chain, tell, told } = await start(t, BY_NAMESPACE);
    await tell('shop/a');
    await chain.advance(HOUR_MS);
    await tell('shop/b');
    await chain.advance(4 * HOUR_MS - 1_000);
    await chain.accept('shop/c');
    await chain.runner.idle();
    const durationMs = 5 * HOUR_MS - 1_000;
    const since = new Date(chain.clock.now() - durationMs).toISOString();
    assert.deepEqual(told[0]?.notes.once, { suppressed: 1, since, durationMs });
  });

  test('by default counts by object', async () => {
    const [web, db] = [changeOf({ after: pod('web') }), changeOf({ after: pod('db') })];
    const deployment = changeOf({ after: { ...pod('web'), apiVersion: 'apps/v1', kind: 'Deployment' } });
    assert.deepEqual(await reasonsOf({ within: '4h' }, web, db, deployment, web), ['pass', 'pass', 'pass', HALTED]);
  });

  test('tells keys apart that begin with the same thousand characters', async () => {
    const labelled = (team: string) => changeOf({ after: pod('web', { labels: { team } }) });
    const key = `${'x'.repeat(1_000)} {{ change.object.metadata.labels.team }}`;
    const reasons = await reasonsOf({ within: '4h', key }, labelled('a'), labelled('b'), labelled('a'));
    assert.deepEqual(reasons, ['pass', 'pass', HALTED]);
  });

  test('passes every change without a key', async (t) => {
    const key = '{% if change.name != "web" %}{{ change.namespace }}{% endif %} ';
    const { tell, states } = await start(t, { within: '4h', key });
    assert.deepEqual(await tell('shop/web', 'shop/web'), ['shop/web', 'shop/web']);
    assert.equal(await states(), 0);
    assert.deepEqual(await tell('shop/a', 'shop/b'), ['shop/a']);
  });

  test('passes and does not count the end of an alert', async () => {
    const alert = (status: AlertNote['status']) =>
      withNote(changeOf({ after: pod('web') }), 'alert', { status } as AlertNote);
    const [firing, resolved] = [alert('firing'), alert('resolved')];
    assert.deepEqual(await reasonsOf(BY_NAMESPACE, resolved, firing, resolved, firing, resolved), [
      'pass',
      'pass',
      'pass',
      HALTED,
      'pass',
    ]);
  });

  test('passes and does not count the end of what has lasted', async () => {
    const note = (status: LastingNote['status']) =>
      withNote(changeOf({ after: pod('web') }), 'lasting', { status } as LastingNote);
    const [lasts, over] = [note('lasts'), note('over')];
    assert.deepEqual(await reasonsOf(BY_NAMESPACE, lasts, over, lasts, over), ['pass', 'pass', HALTED, 'pass']);
  });

  test('fails with the name of the option if the key cannot be rendered', async () => {
    const key = '{% for n in (1..100000000) %}{% endfor %}';
    const [reason = ''] = await reasonsOf({ within: '4h', key }, changeOf({ after: pod('web') }));
    assert.match(reason, /^The template of key failed: /);
  });

  test('refuses a missing or bad time, a bad number and a wrong template', () => {
    for (const [given, problem] of [
      [{}, /^within: /],
      [{ within: '0s' }, /^within: must be at least "1s"$/],
      [{ within: '366d' }, /^within: must be a duration .*, at most 365 days$/],
      [{ within: '4 hours' }, /^within: must be a duration/],
      [{ within: '4h', atMost: 0 }, /^atMost: /],
      [{ within: '4h', key: '{{ chagne.key }}' }, /^key: must be a Liquid template: .*did you mean "change"\?/],
    ] as const) {
      assert.match(problemsOf(once, given).join('\n'), problem, JSON.stringify(given));
    }
  });
});

describe('once: what it remembers', () => {
  test('a retry does not count twice', async (t) => {
    const { chain, tell } = await start(t, BY_NAMESPACE, (n) => (n === 1 ? boom() : undefined));
    assert.deepEqual(await tell('shop/a', 'shop/b'), []);
    await chain.advance(2_000);
    assert.deepEqual(await tell(), ['shop/a']);
    await chain.advance(HOUR_MS);
    assert.deepEqual(await tell('shop/c'), []);
    await chain.advance(3 * HOUR_MS);
    assert.deepEqual(await tell('shop/d'), ['shop/d · 2 more in the last 4h were not reported']);
  });

  test('a change that is given up does not count: the next one passes', async (t) => {
    const { chain, tell } = await start(t, BY_NAMESPACE, (n) => (n <= 4 ? boom() : undefined));
    assert.deepEqual(await tell('shop/a', 'shop/b', 'shop/c'), []);
    for (let n = 0; n < 4; n++) await chain.advance(60_000);
    assert.deepEqual(await tell(), ['shop/b']);
    assert.equal((await chain.store.deadLetters({ limit: 10 })).length, 1);
  });

  test('survives a restart', async (t) => {
    const { chain, tell } = await start(t, BY_NAMESPACE);
    await tell('shop/a');
    await chain.restart();
    assert.deepEqual(await tell('shop/b'), []);
  });

  test('forgets a key when none of its changes has come for the time', async (t) => {
    const { chain, tell, states } = await start(t, BY_NAMESPACE);
    await tell('shop/a', 'ops/a');
    await chain.advance(2 * HOUR_MS);
    await tell('shop/b');
    assert.equal(await states(), 2);
    await chain.advance(2 * HOUR_MS);
    assert.equal(await states(), 1, 'ops');
    await chain.advance(2 * HOUR_MS);
    assert.equal(await states(), 0);
    assert.deepEqual(await tell('shop/c'), ['shop/c']);
  });

  test('keeps a key for longer when the time was made longer meanwhile', async (t) => {
    const { chain, tell, states } = await start(t, BY_NAMESPACE);
    await tell('shop/a');
    await chain.restart(0, [
      configured(once, { ...BY_NAMESPACE, within: '1d' }),
      transform('last', (change) => change),
    ]);
    await chain.advance(5 * HOUR_MS);
    assert.equal(await states(), 1);
    await chain.advance(19 * HOUR_MS);
    assert.equal(await states(), 0);
  });

  test('forgets each key at its end even if it is no longer configured', async (t) => {
    const { chain, tell, states } = await start(t, BY_NAMESPACE);
    await tell('shop/a', 'ops/a');
    await chain.restart(0, [transform('last', (change) => change)]);
    assert.equal(await states(), 2);
    await chain.advance(4 * HOUR_MS);
    assert.equal(await states(), 0);
  });

  test("counts an earlier handler's timer in a branch like any other change", async (t) => {
    const told: Change[] = [];
    const reminding = grouping<number>('reminding', {
      group: ({ namespace = '' }) => namespace,
      handle(change, { state = 0, now, wakeAt }) {
        wakeAt(change.key, now + HOUR_MS);
        return { verdict: change, state: state + 1 };
      },
    });
    const chain = await startTestChain(t, {
      handlers: [reminding],
      branches: [{ name: 'few', handlers: [configured(once, BY_NAMESPACE), recording('sink', told)] }],
    });
    await chain.accept('shop/web');
    await chain.runner.idle();
    for (let n = 0; n < 5; n++) await chain.advance(HOUR_MS);
    assert.deepEqual(
      told.map(({ action, notes }) => [action, notes.once?.suppressed]),
      [
        ['added', undefined],
        ['timer', 3],
      ],
    );
  });
});
