import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { CatchUp } from './catch-up.ts';

const AWAY = { whileAway: true } as const;

describe('CatchUp', () => {
  test('is over after a second of silence', async () => {
    const clock = new FakeClock();
    const catchUp = new CatchUp(clock, AWAY);
    catchUp.begin();
    await clock.advance(999);
    assert.deepEqual(catchUp.flags(), AWAY);
    await clock.advance(999);
    assert.deepEqual(catchUp.flags(), AWAY);
    await clock.advance(1_000);
    assert.deepEqual(catchUp.flags(), {});
  });

  test('is over after ten seconds even if the cluster is never silent', async () => {
    const clock = new FakeClock();
    const catchUp = new CatchUp(clock, AWAY);
    catchUp.begin();
    for (let n = 1; n < 20; n++) {
      await clock.advance(500);
      assert.deepEqual(catchUp.flags(), AWAY, `${n / 2} s`);
    }
    await clock.advance(500);
    assert.deepEqual(catchUp.flags(), {});
  });

  test('is not over before a watch is accepted', async () => {
    const clock = new FakeClock();
    const catchUp = new CatchUp(clock, AWAY);
    await clock.advance(60_000);
    assert.equal(catchUp.isOver, false);
  });
});
