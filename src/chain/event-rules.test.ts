import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../change.ts';
import type { EventConfig, ResourceConfig } from '../config/config.ts';
import { changeOf, type ChangeParts } from '../testing/change.ts';
import { testContext, testEnvironment } from '../testing/handler.ts';
import { eventRules } from './event-rules.ts';
import { isHalt } from './handler.ts';

const EVERY = { repeats: 'every', maxAgeMs: undefined } as const;

function resource(events: Partial<EventConfig>, namespaces: readonly string[] = []): ResourceConfig {
  const all = {
    kind: 'event',
    apiVersion: undefined,
    namespaces,
    labelSelector: '',
    fieldSelector: '',
    at: 'config.toml:1',
  };
  return { ...all, events: [{ namespaces, ...EVERY, ...events }] };
}

/** `pass`, or the handler that halted it and the reason. */
async function verdict(resources: readonly ResourceConfig[], change: Change): Promise<string> {
  for (const { id, definition, options } of eventRules('default', resources)) {
    assert.equal(definition.type, 'transform');
    const answer = await definition.create(options, testEnvironment()).handle(change, testContext());
    if (isHalt(answer)) return `${id}: ${answer.reason}`;
    assert.equal(answer, change);
  }
  return 'pass';
}

const SEEN_AT = '2026-11-20T23:42:03Z';
const OLD = '2026-11-20T23:41:00Z';

function event(fields: object = {}, metadata: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'web.1', namespace: 'shop', ...metadata },
    reason: 'BackOff',
    ...fields,
  };
}

const seen = (parts: ChangeParts) => changeOf({ observedAt: Date.parse(SEEN_AT), ...parts });

describe('repeats', () => {
  const from = (before: number, after: number, more: object = {}) =>
    changeOf({ before: event({ count: before }), after: event({ count: after, ...more }, { resourceVersion: '9' }) });

  test('= powers passes counts that reach or pass a power of two, and edits', async () => {
    const powers = [resource({ repeats: 'powers' })];
    assert.equal(await verdict(powers, from(1, 2)), 'pass');
    assert.equal(await verdict(powers, from(3, 9)), 'pass');
    assert.equal(await verdict(powers, from(5, 5, { reason: 'Other' })), 'pass');
    assert.equal(
      await verdict(powers, from(4, 7, { message: 'another', lastTimestamp: SEEN_AT })),
      'default/repeats: occurrence 7 of an Event is not reported: the 1st, 2nd, 4th, 8th, ... are',
    );
  });

  test('= first passes no repeat, = every passes all of them', async () => {
    assert.equal(
      await verdict([resource({ repeats: 'first' })], from(1, 2)),
      'default/repeats: occurrence 2 of an Event is not reported: only the first is',
    );
    assert.equal(await verdict([resource({ repeats: 'every' })], from(2, 3)), 'pass');
  });

  test('never halts an added Event, or an object of another API group with kind Event', async () => {
    const first = [resource({ repeats: 'first' })];
    assert.equal(await verdict(first, changeOf({ after: event({ count: 3 }) })), 'pass');
    const widget = { apiVersion: 'shop.example/v1', kind: 'Event', metadata: { name: 'sale' } };
    assert.equal(await verdict(first, changeOf({ before: widget, after: widget })), 'pass');
  });

  test('uses the most permissive of the resources that cover an Event', async () => {
    const some = [resource({ repeats: 'first' }), resource({ repeats: 'every' }, ['shop']), resource({}, ['web'])];
    assert.equal(await verdict(some, from(2, 3)), 'pass');
    assert.match(
      await verdict([resource({ repeats: 'first' }), resource({}, ['web'])], from(2, 3)),
      /^default\/repeats/,
    );
  });
});

describe('maxAge', () => {
  const limited = [resource({ maxAgeMs: 5_000 })];
  const aged = /^default\/maxAge: it happened 63 s before it was seen, longer than maxAge, 5 s$/;

  const old: readonly [time: string, fields: object, metadata?: object][] = [
    ['lastTimestamp', { lastTimestamp: OLD, series: { lastObservedTime: SEEN_AT } }],
    ['series.lastObservedTime', { lastTimestamp: null, series: { lastObservedTime: OLD }, eventTime: SEEN_AT }],
    ['eventTime', { eventTime: OLD }, { creationTimestamp: SEEN_AT }],
    ['creationTimestamp', { lastTimestamp: null, eventTime: null }, { creationTimestamp: OLD }],
  ];
  for (const [time, fields, metadata] of old) {
    test(`uses ${time} rather than any later choice`, async () => {
      assert.match(await verdict(limited, seen({ after: event(fields, metadata) })), aged);
    });
  }

  test('passes an ongoing series, whenever it began', async () => {
    const series = { eventTime: OLD, series: { count: 4, lastObservedTime: SEEN_AT } };
    assert.equal(await verdict(limited, seen({ after: event(series) })), 'pass');
  });

  test('applies to the namespaces of its resource, patterns included', async () => {
    const resources = [resource({ maxAgeMs: 5_000 }, ['web', 'team-*']), resource({}, ['shop'])];
    const old = (namespace: string) => seen({ after: event({ lastTimestamp: OLD }, { namespace }) });
    assert.equal(await verdict(resources, old('shop')), 'pass');
    for (const namespace of ['web', 'team-a']) assert.match(await verdict(resources, old(namespace)), aged);
  });

  test('applies to Events that match the field selector of its resource', async () => {
    const selecting = (fieldSelector: string, events: Partial<EventConfig>) => ({ ...resource(events), fieldSelector });
    const about = { involvedObject: { kind: 'Pod', name: 'web' } };
    const old = (type: string) => seen({ after: event({ type, lastTimestamp: OLD, ...about }) });
    for (const [warnings, others] of [
      ['type=Warning', 'type=Normal'],
      ['type==Warning,involvedObject.kind=Pod', 'type!=Warning,reason=BackOff'],
      ['type!=Normal,source=kubelet', 'type=Normal'],
    ] as const) {
      const resources = [selecting(warnings, {}), selecting(others, { maxAgeMs: 5_000 })];
      assert.equal(await verdict(resources, old('Warning')), 'pass', warnings);
      assert.match(await verdict(resources, old('Normal')), aged, others);
    }
  });

  test('passes an Event without a time, and one from the future', async () => {
    assert.equal(await verdict(limited, seen({ after: event() })), 'pass');
    assert.equal(await verdict(limited, seen({ after: event({ lastTimestamp: '2027-01-01T00:00:00Z' }) })), 'pass');
  });

  test('passes an Event that was seen late because of us (whileAway or delayed)', async () => {
    for (const flags of [{ whileAway: true }, { delayed: true }] as const) {
      assert.equal(await verdict(limited, seen({ after: event({ lastTimestamp: OLD }), flags })), 'pass');
    }
  });
});
