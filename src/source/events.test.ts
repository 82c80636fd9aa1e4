/** Kubernetes Events through the source's public interface: repeats, expiry, successors. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Change } from '../change.ts';
import { occurrencesOf, type Repeats } from '../event.ts';
import { countOf } from '../testing/test-chain.ts';
import { startTestSource, type TestSource } from '../testing/test-source.ts';

const EVENT = {
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'web.17', namespace: 'shop' },
  involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web' },
  reason: 'BackOff',
  type: 'Warning',
  message: 'Back-off restarting failed container',
  firstTimestamp: '2026-11-20T23:00:00Z',
  lastTimestamp: '2026-11-20T23:00:00Z',
  count: 1,
};

const occurrence = (count: number, more: object = {}) => ({
  ...EVENT,
  count,
  lastTimestamp: `2026-11-20T23:${String(count).padStart(2, '0')}:00Z`,
  ...more,
});

const wanted = (repeats: Repeats) => ({
  requests: [{ kind: 'event', interest: { except: [], ...(repeats === 'every' ? {} : { repeats }) } }, {}],
});

async function startWith(t: TestContext, repeats: Repeats): Promise<TestSource> {
  const rig = await startTestSource(t);
  await rig.start(wanted(repeats));
  return rig;
}

/** `added 1`, `updated 2`: the reported occurrences. */
const told = (changes: readonly Change[]) =>
  changes.map(({ action, after }) => `${action}${after === undefined ? '' : ` ${occurrencesOf(after)}`}`);

function noise({ metrics }: TestSource): Promise<number> {
  return countOf(metrics, 'noise_total', { resource: 'v1/events' });
}

describe('repeats of an Event', () => {
  test("'powers' reports the 1st, 2nd, 4th, 8th, ... and counts the others as noise", async (t) => {
    const rig = await startWith(t, 'powers');
    rig.server.create(EVENT);
    for (let count = 2; count <= 17; count++) rig.server.update(occurrence(count));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 1', 'updated 2', 'updated 4', 'updated 8', 'updated 16']);
    assert.equal(await noise(rig), 12);
  });

  test("'powers' reports a jump past a power of two, and not one that passes none", async (t) => {
    const rig = await startWith(t, 'powers');
    rig.server.create(EVENT);
    for (const count of [3, 7, 30, 31]) rig.server.update(occurrence(count));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 1', 'updated 3', 'updated 7', 'updated 30']);
  });

  test("'first' reports only the first", async (t) => {
    const rig = await startWith(t, 'first');
    rig.server.create(EVENT);
    for (const count of [2, 3, 4]) rig.server.update(occurrence(count));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 1']);
    assert.equal(await noise(rig), 3);
  });

  test("'every' reports each one", async (t) => {
    const rig = await startWith(t, 'every');
    rig.server.create(EVENT);
    for (const count of [2, 3]) rig.server.update(occurrence(count));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 1', 'updated 2', 'updated 3']);
  });

  test('a changed message alone is still a repeat, while a changed label is an edit and is reported', async (t) => {
    const rig = await startWith(t, 'powers');
    rig.server.create(occurrence(2));
    rig.server.update(occurrence(3, { message: '(combined from similar events): another' }));
    rig.server.update(occurrence(3, { metadata: { ...EVENT.metadata, labels: { seen: 'yes' } } }));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 2', 'updated 3']);
  });

  test('a count in an annotation or a message is ignored', async (t) => {
    const rig = await startWith(t, 'powers');
    const said = {
      message: '{"count":900}',
      metadata: { ...EVENT.metadata, annotations: { note: '"count":900', count: '900' } },
    };
    rig.server.create(occurrence(1, said));
    rig.server.update(occurrence(2, said));
    rig.server.update(occurrence(3, said));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 1', 'updated 2']);
  });

  test('an Event of events.k8s.io is counted by its series', async (t) => {
    const rig = await startTestSource(t);
    await rig.start({ requests: [{ ...wanted('powers').requests[0], apiVersion: 'events.k8s.io/v1' }, {}] });
    const event = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: EVENT.metadata,
      regarding: EVENT.involvedObject,
      eventTime: '2026-11-20T23:00:00.000000Z',
    };
    rig.server.create(event);
    for (const count of [2, 3, 4]) {
      rig.server.update({ ...event, series: { count, lastObservedTime: `2026-11-20T23:0${count}:00.000000Z` } });
    }
    assert.deepEqual(told(await rig.changesSoFar()), ['added 1', 'updated 2', 'updated 4']);
  });

  test('after a restart an unreported repeat stays unreported, and one past a power of two is reported once', async (t) => {
    const rig = await startWith(t, 'powers');
    rig.server.create(occurrence(2));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 2']);
    await rig.stop();
    rig.server.update(occurrence(3));
    rig.server.compact();
    await rig.start(wanted('powers'));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 2']);
    await rig.stop();
    rig.server.update(occurrence(5));
    await rig.start(wanted('powers'));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 2', 'updated 5']);
  });

  test('a changed setting reports nothing by itself', async (t) => {
    const rig = await startWith(t, 'first');
    rig.server.create(EVENT);
    rig.server.update(occurrence(9));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 1']);
    await rig.stop();
    await rig.start(wanted('powers'));
    rig.server.update(occurrence(10));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 1']);
    rig.server.update(occurrence(16));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 1', 'updated 16']);
  });
});

describe('the end of an Event', () => {
  test('makes no change; another Event of the same name is added', async (t) => {
    const rig = await startWith(t, 'powers');
    rig.server.create(occurrence(5));
    rig.server.delete('Event', 'web.17', 'shop');
    rig.server.create(EVENT);
    assert.deepEqual(told(await rig.changesSoFar()), ['added 5', 'added 1']);
  });

  test('makes no change when a list shows another Event in its place, or none', async (t) => {
    const rig = await startWith(t, 'powers');
    for (const name of ['replaced', 'expired'])
      rig.server.create(occurrence(5, { metadata: { name, namespace: 'shop' } }));
    await rig.changesSoFar();
    await rig.stop();
    for (const name of ['replaced', 'expired']) rig.server.delete('Event', name, 'shop');
    rig.server.create(occurrence(1, { metadata: { name: 'replaced', namespace: 'shop' } }));
    rig.server.compact();
    await rig.start(wanted('powers'));
    assert.deepEqual(told(await rig.changesSoFar()), ['added 5', 'added 5', 'added 1']);
  });

  test('makes no change when the watch shows only its successor', async (t) => {
    const rig = await startWith(t, 'powers');
    const [first, second] = ['uid-first', 'uid-second'].map((uid) => ({
      ...EVENT,
      metadata: { ...EVENT.metadata, uid },
    }));
    rig.server.putAll([first as never]);
    rig.server.putAll([second as never]);
    assert.deepEqual(
      (await rig.changesSoFar()).map(({ action, uid }) => `${action} ${uid}`),
      ['added uid-first', 'added uid-second'],
    );
  });
});

describe('what the watch shows after an interruption', () => {
  test('is marked as delayed, and later changes are not', async (t) => {
    const rig = await startWith(t, 'powers');
    await rig.server.restart(() => void rig.server.create(EVENT));
    const [late] = await rig.changes(1);
    assert.deepEqual(late?.flags, { delayed: true });
    await rig.clock.advance(1_000);
    rig.server.create(occurrence(1, { metadata: { name: 'live', namespace: 'shop' } }));
    assert.deepEqual((await rig.changes(2))[1]?.flags, {});
  });
});
