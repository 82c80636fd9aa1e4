/** Accepts into the store, and how far they block the calling thread. */
import { median, type Scenario } from '../rig/figure.ts';
import { Subject } from '../rig/subject.ts';

const ACCEPTS = 20_000;
const BATCHES = ACCEPTS / 50;
const ROUNDS = 3;

export const store: Scenario = {
  name: 'store',
  how: `${ACCEPTS} accepts of 2 KB bodies over 1,000 objects, each a change, in batches of 50, one after the other, each durable
(WAL, synchronous=FULL) before the next. Wall time, median of ${ROUNDS} fresh stores.`,
  async run({ folder }) {
    const rates: number[] = [];
    const delays: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await using subject = await Subject.start('store', [await folder(), String(BATCHES)]);
      const begun = await subject.reached(50);
      const ended = await subject.reached(ACCEPTS);
      rates.push((ended.events - begun.events) / ((ended.atMs - begun.atMs) / 1_000));
      delays.push(ended.own['loopDelayP99Ms'] ?? NaN);
    }
    return [
      { what: 'accepts, 2 KB, batch 50, FULL', measured: median(rates), unit: '/s', limit: { atLeast: 4_000 } },
      { what: 'event-loop delay meanwhile, p99', measured: median(delays), unit: 'ms', limit: { atMost: 10 } },
    ];
  },
};
