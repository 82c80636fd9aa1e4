import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { changeOf } from '../testing/change.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { Gathering, type GatheringOptions } from './gathering.ts';

const after = { kind: 'Pod', metadata: { name: 'web', namespace: 'shop' } };
const now = changeOf({ after });
const missed = changeOf({ after, flags: { whileAway: true } });

function gathering(options: Partial<GatheringOptions> = {}) {
  const clock = new FakeClock();
  const it = new Gathering({ clock, window: undefined, awayFrom: undefined, ...options });
  /** Until when a change waits, milliseconds from now; undefined if it is delivered. */
  const waitOf = (change = now): number | undefined => {
    const wait = it.wait(change);
    return wait === undefined ? undefined : wait.until - clock.steady();
  };
  return { it, clock, waitOf };
}

describe('wait()', () => {
  test('passes the first `over` changes of a window, and gathers the rest until it ends or `max` wait', async () => {
    const { clock, waitOf } = gathering({ window: { windowMs: 30_000, over: 2, max: 3 } });
    assert.deepEqual(
      Array.from({ length: 9 }, () => waitOf()),
      [undefined, undefined, 30_000, 30_000, 0, 30_000, 30_000, 0, 30_000],
    );
    await clock.advance(30_000);
    assert.equal(waitOf(), undefined);
  });

  test('waits 2 s in all, not per change, to learn how many changes were missed', async () => {
    const { clock, waitOf } = gathering({ awayFrom: 20 });
    assert.equal(waitOf(missed), 2_000);
    await clock.advance(1_500);
    assert.equal(waitOf(missed), 500);
    assert.equal(waitOf(now), undefined);
  });

  test('gathers everything while the rate of the receiver makes some wait', () => {
    const { it, clock, waitOf } = gathering();
    it.rateLimited(clock.steady() + 700);
    assert.equal(waitOf(), 700);
    it.drained();
    assert.equal(waitOf(), undefined);
  });
});

describe('areFew()', () => {
  test('is true only of fewer than `awayFrom` changes that were all missed', () => {
    const { it } = gathering({ awayFrom: 3 });
    assert.equal(it.areFew([missed, missed]), true);
    assert.equal(it.areFew([missed, missed, missed]), false);
    assert.equal(it.areFew([missed, now]), false);
    assert.equal(it.areFew([now, now]), false);
  });
});
