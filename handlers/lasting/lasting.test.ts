import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../../src/change.ts';
import { documentOf } from '../../src/change/change-document.ts';
import { halt, type HandlerDefinition } from '../../src/chain/handler.ts';
import { loadHandler } from '../../src/chain/load.ts';
import { loadConfig } from '../../src/config/load.ts';
import { changeOf } from '../../src/testing/change.ts';
import { problemsOf } from '../../src/testing/handler.ts';
import { rehearse } from '../../src/testing/rehearse.ts';
import { configured, recording, startTestChain, transform } from '../../src/testing/test-chain.ts';
import {
  accept,
  failing,
  KEY,
  MINUTE,
  pass,
  quietBetween,
  reasons,
  start,
  told,
} from '../../src/testing/test-lasting.ts';
import { Workdir } from '../../test/e2e/program.ts';
import diff from '../diff/index.ts';
import { changeEntry } from '../log/entry.ts';
import lasting from './index.ts';

describe('lasting', () => {
  test('reports once what meets the tests for the time, from before the wait until now', async (t) => {
    const { chain, seen } = await start(t);
    await accept(chain, 1);
    await pass(chain, 2);
    await accept(chain, 1);
    await pass(chain, 2);
    assert.deepEqual(told(seen), []);
    await pass(chain, 60);
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 5m now']);
    const [report = assert.fail()] = seen;
    const { notes, observedAt, resourceVersion } = report;
    assert.equal(notes.lasting?.status, 'lasts');
    assert.equal(observedAt - Date.parse(notes.lasting.since), 5 * MINUTE);
    assert.equal(resourceVersion, '3');
    assert.deepEqual(documentOf(report).lasting, notes.lasting);
    assert.deepEqual(changeEntry(report).details['lasting'], notes.lasting);
    assert.deepEqual(reasons(chain), [
      'version "1" does not match ^[236]$',
      'waits: version "2" matches ^[236]$',
      'waits: version "3" matches ^[236]$',
    ]);
  });

  test('reports an object that met the tests from its creation on as added', async (t) => {
    const { chain, seen } = await start(t, configured(lasting, { field: { version: '^1$' }, for: '5m' }));
    await pass(chain, 5);
    assert.deepEqual(told(seen), ['added, - -> 1, for 5m now']);
  });

  test('takes a condition on the object', async (t) => {
    const { chain, seen } = await start(
      t,
      configured(lasting, { when: '{{ change.after.version > 1 and change.after.version < 4 }}', for: '5m' }),
    );
    await accept(chain, 2);
    await pass(chain, 5);
    await accept(chain, 1);
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 5m now', 'updated, 3 -> 4, over after 5m']);
  });

  test('halts what ends earlier, and reports nothing later', async (t) => {
    const { chain, seen } = await start(t);
    await accept(chain, 2);
    await pass(chain, 4);
    await accept(chain, 1);
    await pass(chain, 60);
    assert.deepEqual(told(seen), []);
    assert.equal(reasons(chain).at(-1), 'over after 4m: version "4" does not match ^[236]$');
  });

  test('counts anew when an object meets the tests again', async (t) => {
    const { chain, seen } = await start(t);
    await accept(chain, 2);
    await pass(chain, 4);
    await accept(chain, 3);
    await pass(chain, 4);
    assert.deepEqual(told(seen), []);
    await pass(chain, 1);
    assert.deepEqual(told(seen), ['updated, 5 -> 6, for 5m now']);
  });

  test('halts further changes while it lasts, and reports the end', async (t) => {
    const { chain, seen } = await start(t);
    await accept(chain, 1);
    await pass(chain, 6);
    await accept(chain, 1);
    assert.equal(reasons(chain).at(-1), 'already reported: version "3" matches ^[236]$');
    await pass(chain, 6);
    await accept(chain, 2);
    assert.deepEqual(told(seen), ['updated, 1 -> 2, for 5m now', 'updated, 3 -> 4, over after 12m']);
    assert.equal(seen.at(-1)?.notes.lasting?.status, 'over');
    assert.equal(reasons(chain).at(-1), 'version "5" does not match ^[236]$');
  });

  test('reports a deletion as the end of what was reported, and no other', async (t) => {
    const { chain, seen } = await start(t);
    await accept(chain, 1);
    await chain.delete(KEY);
    await chain.runner.idle();
    assert.equal(reasons(chain).at(-1), 'over after 0s: the object is gone');
    await accept(chain, 3);
    await pass(chain, 5);
    await chain.delete(KEY);
    await chain.runner.idle();
    assert.deepEqual(told(seen), ['updated, 5 -> 6, for 5m now', 'deleted, 6 -> -, over after 5m']);
  });

  test('with resolved = false, halts the end', async (t) => {
    const { chain, seen } = await start(t, failing({ resolved: false }));
    await accept(chain, 2);
    await pass(chain, 5);
    await accept(chain, 1);
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 5m now']);
    assert.equal(reasons(chain).at(-1), 'over after 5m: version "4" does not match ^[236]$');
  });

  test('begins anew when an end was halted by an earlier handler', async (t) => {
    const mute = transform('mute', (change) => (/[45]/.test(change.resourceVersion) ? halt('muted') : change));
    const { chain, seen } = await start(t, mute, failing());
    await accept(chain, 2);
    await pass(chain, 5);
    await accept(chain, 3);
    await pass(chain, 5);
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 5m now', 'updated, 5 -> 6, for 5m now']);
  });

  test('reports the end late when an earlier handler halted it', async (t) => {
    const mute = transform('mute', (change) => (change.resourceVersion === '4' ? halt('muted') : change));
    const { chain, seen } = await start(t, mute, failing());
    await accept(chain, 2);
    await pass(chain, 5);
    await accept(chain, 2);
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 5m now', 'updated, 4 -> 5, over after 5m']);
  });

  test('reports nothing that the baseline says is over, although its change was halted earlier', async (t) => {
    const mute = transform('mute', (change) => (change.resourceVersion === '4' ? halt('muted') : change));
    const { chain, seen } = await start(t, mute, failing());
    await accept(chain, 3);
    await pass(chain, 5);
    assert.deepEqual(told(seen), []);
    assert.equal(reasons(chain).at(-1), 'over: version "4" does not match ^[236]$');
    await accept(chain, 1);
    assert.deepEqual(told(seen), []);
  });

  test('reaches branches with its note and both manifests', async (t) => {
    const seen: Change[] = [];
    const branches = [{ name: 'branch', handlers: [recording('branch-sink', seen)] }];
    const chain = await startTestChain(t, { handlers: [failing()], branches });
    await accept(chain, 3);
    await pass(chain, 5);
    await accept(chain, 1);
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 5m now', 'updated, 3 -> 4, over after 5m']);
  });

  test('in a branch behind another one, takes what that reported as the beginning', async (t) => {
    const seen: Change[] = [];
    const branches = [{ name: 'branch', handlers: [failing({ for: '1h' }), recording('branch-sink', seen)] }];
    const chain = await startTestChain(t, { handlers: [failing()], branches });
    await accept(chain, 3);
    await pass(chain, 65);
    await accept(chain, 1);
    assert.deepEqual(told(seen), ['updated, - -> 3, for 1h now', 'updated, 3 -> 4, over after 1h']);
  });

  test('passes a diff after it that shows none of the fields', async (t) => {
    assert.ok(diff.type === 'transform');
    const parsed = diff.options.parse({ only: ['status'] });
    const blind: HandlerDefinition = { ...diff, create: (_, environment) => diff.create(parsed, environment) };
    const { chain, seen } = await start(t, failing(), blind);
    await accept(chain, 2);
    await pass(chain, 5);
    await accept(chain, 1);
    assert.deepEqual(told(seen), ['updated, 1 -> 3, for 5m now', 'updated, 3 -> 4, over after 5m']);
  });

  test('is held back by a quiet time, once', async (t) => {
    const { chain, seen } = await start(t, quietBetween('00:03', '00:59'), failing());
    await accept(chain, 1);
    await pass(chain, 58);
    assert.deepEqual(told(seen), []);
    await pass(chain, 2);
    assert.deepEqual(told(seen), ['updated, 1 -> 2, for 5m now']);
  });

  test('reports neither the beginning nor the end of what is over before it could be sent', async (t) => {
    const { chain, seen } = await start(t, quietBetween('00:03', '00:29'), failing());
    await accept(chain, 2);
    await pass(chain, 10);
    await accept(chain, 1);
    await pass(chain, 20);
    assert.deepEqual(told(seen), []);
  });

  test('begins anew for a new object of the same name', async () => {
    const claim = (uid: string) => ({
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace: 'shop', uid },
      status: { phase: 'Pending' },
    });
    const begun = (uid: string, minute: number) =>
      changeOf({ after: claim(uid), observedAt: Date.UTC(2025, 0, 1, 0, minute) });
    const { changes } = await rehearse(lasting, {
      options: { field: { 'status.phase': '^Pending$' }, for: '5m' },
      changes: [begun('a', 0), begun('a', 1), begun('b', 2)],
    });
    assert.deepEqual(
      changes.map(({ wakeUps }) => new Date(wakeUps.get('shop/data') ?? NaN).toISOString().slice(14, 16)),
      ['05', '05', '07'],
    );
  });

  test('waits again for what the baseline did not show for a moment', async () => {
    const claim = { kind: 'PersistentVolumeClaim', metadata: { name: 'data' }, status: { phase: 'Pending' } };
    const at = (minute: number) => Date.UTC(2025, 0, 1, 0, minute);
    const { changes } = await rehearse(lasting, {
      options: { field: { 'status.phase': '^Pending$' }, for: '5m' },
      changes: [
        changeOf({ after: claim, observedAt: at(0) }),
        changeOf({ after: claim, timer: true, observedAt: at(5) }),
        changeOf({ before: claim, after: claim, observedAt: at(6) }),
      ],
    });
    assert.deepEqual(
      changes.map(({ reason, wakeUps }) => [reason?.slice(0, 11), wakeUps.get('data')]),
      [
        ['waits until', at(5)],
        ['over: the o', undefined],
        ['waits until', at(11)],
      ],
    );
  });

  test('halts Kubernetes Events', async () => {
    const event = changeOf({ after: { kind: 'Event', metadata: { name: 'a', namespace: 'shop' } } });
    const { changes } = await rehearse(lasting, { options: { namespace: '^shop$', for: '5m' }, changes: [event] });
    assert.deepEqual(
      changes.map(({ reason, wakeUps }) => [reason, wakeUps.size]),
      [['an Event is no state', 0]],
    );
  });
});

describe('lasting: options', () => {
  test('refuses what is no state, and a missing test or time', () => {
    for (const [given, problem] of [
      [{ for: '5m' }, /^must have at least one test: kind, apiVersion, namespace, /],
      [{ kind: '^Pod$' }, /^for: must be a duration/],
      [{ kind: '^Pod$', for: '25d' }, /^for: must be a duration/],
      [{ kind: '^Pod$', for: '5m', action: 'added' }, /"action"/],
      [{ kind: '^Pod$', for: '5m', changed: 'spec' }, /"changed"/],
    ] as const) {
      assert.match(problemsOf(lasting, given).join('\n'), problem, JSON.stringify(given));
    }
  });

  test('is refused behind a diff that halts changes of the fields it tests, and not before it', async () => {
    await using workdir = await Workdir.make();
    const handlers = {
      diff: '[[handler]]\nname = "diff"\n',
      lasting:
        '[[handler]]\nname = "lasting"\nfield."status.phase" = "^Pending$"\nfield."spec.size" = "1"\nfor = "5m"\n',
      conditional:
        '[[handler]]\nname = "lasting"\nwhen = "{{ change.after.status.replicas > change.after.spec.size }}"\nfor = "5m"\n',
    };
    const load = async (...order: (keyof typeof handlers)[]) => {
      const text = ['[[resource]]\nkind = "pvc"\n', ...order.map((name) => handlers[name])].join('');
      await loadConfig(await workdir.write('config.toml', text), { env: {}, loadHandler });
    };
    await load('lasting', 'diff');
    await load('conditional', 'diff');
    for (const after of ['lasting', 'conditional'] as const) {
      await assert.rejects(
        load('diff', after),
        /"lasting" would never do anything: it needs changes of status, which "diff" \(.*\) halts first: put it before/,
      );
    }
  });
});
