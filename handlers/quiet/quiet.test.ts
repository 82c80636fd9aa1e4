import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codeOf } from '../../src/errors.ts';
import type { Change } from '../../src/change.ts';
import { withNote } from '../../src/change/lazy-change.ts';
import { changeOf } from '../../src/testing/change.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { problemsOf, testContext, testEnvironment } from '../../src/testing/handler.ts';
import type { LastingNote } from '../lasting/note.ts';
import type { AlertNote } from '../podAlerts/alert.ts';
import quiet from './index.ts';
import { quietEnd } from './window.ts';

const HOUR_MS = 3_600_000;

const pod = changeOf({ after: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'shop' } } });

/** The outcome for the pod at that time: `pass`, `halt (...)` or `wait 60 s (...)`. */
async function outcomeAt(now: string, given: object, change: Change = pod): Promise<string> {
  // The clock was set after the start.
  const clock = new FakeClock(Date.parse(now) - HOUR_MS);
  clock.set(HOUR_MS);
  const parsed = quiet.options.parse(given);
  assert.ok(quiet.type === 'transform');
  const handler = quiet.create(parsed, testEnvironment({ clock }));
  try {
    const verdict = await handler.handle(change, testContext());
    return 'reason' in verdict ? `halt (${verdict.reason})` : 'pass';
  } catch (thrown) {
    assert.equal(codeOf(thrown), 'WAIT');
    const { until, message } = thrown as { until: number; message: string };
    return `wait ${(until - clock.steady()) / 1000} s (${message})`;
  }
}

describe('quiet', () => {
  const until = '2026-01-01T12:00:00Z';

  test('holds a change until the quiet time ends, and checks again at least every 15 minutes', async () => {
    assert.equal(
      await outcomeAt('2026-01-01T11:59:00Z', { until }),
      'wait 60 s (quiet until 2026-01-01T12:00:00.000Z)',
    );
    assert.equal(
      await outcomeAt('2026-01-01T08:00:00Z', { until }),
      'wait 900 s (quiet until 2026-01-01T12:00:00.000Z)',
    );
    assert.equal(await outcomeAt(until, { until }), 'pass');
  });

  test('with action = "halt", halts during the quiet time and passes before it', async () => {
    const given = { from: '2026-01-01T11:00:00Z', until, action: 'halt' };
    assert.equal(await outcomeAt('2026-01-01T11:00:00Z', given), 'halt (quiet until 2026-01-01T12:00:00.000Z)');
    assert.equal(await outcomeAt('2026-01-01T10:59:59Z', given), 'pass');
    assert.equal(await outcomeAt('2030-01-01T00:00:00Z', { action: 'halt', kind: 'pod' }), 'halt (quiet)');
  });

  test('passes a resolved alert where a firing one halts, and applies to wake-ups', async () => {
    const ofAlert = (status: string) => withNote(pod, 'alert', { status } as AlertNote);
    const mute = { action: 'halt', kind: '^Pod$' };
    assert.equal(await outcomeAt(until, mute, ofAlert('firing')), 'halt (quiet)');
    assert.equal(await outcomeAt(until, mute, ofAlert('resolved')), 'pass');
    assert.ok(quiet.type === 'transform' && quiet.holdsWakeUps);
  });

  test('passes the end of what has lasted where it halts the beginning', async () => {
    const lasting = (status: string) => withNote(pod, 'lasting', { status } as LastingNote);
    const mute = { action: 'halt', kind: '^Pod$' };
    assert.equal(await outcomeAt(until, mute, lasting('lasts')), 'halt (quiet)');
    assert.equal(await outcomeAt(until, mute, lasting('over')), 'pass');
  });

  test('applies only to changes that match all of its tests', async () => {
    assert.equal(
      await outcomeAt('2026-01-01T11:59:30Z', { until, namespace: '^shop$', on: 'added' }),
      'wait 30 s (quiet until 2026-01-01T12:00:00.000Z)',
    );
    assert.equal(await outcomeAt('2026-01-01T11:59:30Z', { until, namespace: '^shop$', on: 'deleted' }), 'pass');
    assert.equal(await outcomeAt('2026-01-01T11:59:30Z', { until, namespace: '^batch$' }), 'pass');
  });

  test('refuses a missing end, an option without effect, and an invalid time', () => {
    for (const [given, problem] of [
      [{}, /^until: is missing: a quiet without tests needs/],
      [{ kind: '^Pod$' }, /^until: is missing: held changes need an end/],
      [{ from: until, until }, /^until: must be later than from$/],
      [{ until: '2026-01-01' }, /^until: must be a time in quotes/],
      [{ daily: '22:00' }, /^daily: must be two different times of day/],
      [{ daily: '06:00-06:00' }, /^daily: must be two different times of day/],
      [{ days: ['monday'] }, /^days\.0: /],
      [{ daily: '22:00-06:00', timeZone: 'Zurich' }, /^timeZone: must be a time zone such as/],
      [{ until, timeZone: 'UTC' }, /^timeZone: applies to daily and days only$/],
      [{ until, action: 'deleted' }, /^action: /],
    ] as const) {
      assert.match(problemsOf(quiet, given).join('\n'), problem, JSON.stringify(given));
    }
  });
});

describe('quietEnd()', () => {
  /** When the quiet at that time ends, `-` if there is none. 2026-01-01 is a Thursday. */
  const endAt = (now: string, given: Parameters<typeof quietEnd>[0]): string => {
    const end = quietEnd({ timeZone: 'UTC', ...given })(Date.parse(now));
    return end === undefined ? '-' : new Date(end).toISOString().slice(0, 16);
  };

  test('handles daily hours, across midnight too', () => {
    assert.equal(endAt('2026-01-01T12:30:00Z', { daily: '12:00-13:00' }), '2026-01-01T13:00');
    assert.equal(endAt('2026-01-01T13:00:00Z', { daily: '12:00-13:00' }), '-');
    assert.equal(endAt('2026-01-01T23:00:00Z', { daily: '22:00-06:00' }), '2026-01-02T06:00');
    assert.equal(endAt('2026-01-02T05:59:59Z', { daily: '22:00-06:00' }), '2026-01-02T06:00');
    assert.equal(endAt('2026-01-02T06:00:00Z', { daily: '22:00-06:00' }), '-');
    assert.equal(endAt('2026-01-02T18:00:00Z', { daily: '17:00-24:00' }), '2026-01-03T00:00');
  });

  test('handles days of the week; hours after midnight belong to the day before', () => {
    assert.equal(endAt('2026-01-03T10:00:00Z', { days: ['sat', 'sun'] }), '2026-01-04T00:00');
    assert.equal(endAt('2026-01-02T10:00:00Z', { days: ['sat', 'sun'] }), '-');
    assert.equal(endAt('2026-01-03T01:00:00Z', { daily: '22:00-06:00', days: ['fri'] }), '2026-01-03T06:00');
    assert.equal(endAt('2026-01-02T01:00:00Z', { daily: '22:00-06:00', days: ['fri'] }), '-');
  });

  test('uses the time zone, and ends at `until`', () => {
    assert.equal(
      endAt('2026-07-01T20:30:00Z', { daily: '22:00-06:00', timeZone: 'Europe/Zurich' }),
      '2026-07-02T04:00',
    );
    assert.equal(endAt('2026-01-01T20:30:00Z', { daily: '22:00-06:00', timeZone: 'Europe/Zurich' }), '-');
    assert.equal(
      endAt('2026-01-01T23:00:00Z', { daily: '22:00-06:00', until: '2026-01-02T01:00:00Z' }),
      '2026-01-02T01:00',
    );
  });

  test('handles nights in which daylight saving time begins or ends', () => {
    const zurich = { daily: '22:00-06:00', timeZone: 'Europe/Zurich' };
    assert.equal(endAt('2026-03-28T22:00:00Z', zurich), '2026-03-29T04:00');
    assert.equal(endAt('2026-10-24T20:00:00.500Z', zurich), '2026-10-25T05:00');
    const skipped = { daily: '01:00-02:30', timeZone: 'Europe/Zurich' };
    assert.equal(endAt('2026-03-29T00:50:00Z', skipped), '2026-03-29T01:00');
    const repeated = { daily: '02:15-03:15', timeZone: 'Europe/Zurich' };
    assert.equal(endAt('2026-10-25T00:20:00Z', repeated), '2026-10-25T01:00');
    assert.equal(endAt('2026-10-25T01:20:00Z', repeated), '2026-10-25T02:15');
    const halfAnHour = { daily: '22:00-06:00', timeZone: 'Australia/Lord_Howe' };
    assert.equal(endAt('2026-04-04T12:00:00Z', halfAnHour), '2026-04-04T19:30');
  });
});
