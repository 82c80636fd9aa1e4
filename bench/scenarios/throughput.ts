/** The whole chain, durable, at full speed. */
import { Cluster } from '../rig/cluster.ts';
import { median, type Scenario } from '../rig/figure.ts';
import { writeConfig } from '../rig/places.ts';
import { Subject } from '../rig/subject.ts';

const PODS = 1_000;
const CHANGES = 5_000;
const ROUNDS = 3;

export const throughput: Scenario = {
  name: 'throughput',
  how: `Wall time from ${CHANGES} changed pods of 7.7 KB on the watch to the last entry of the log, each accepted, diffed and ended on disk.
Median of ${ROUNDS} rounds after a first one. Wall time: other work on this machine lowers it.`,
  async run({ folder }) {
    const place = await folder();
    await using cluster = await Cluster.start(place, 'pod', PODS);
    const config = await writeConfig(place, { kubeconfig: cluster.kubeconfig, kind: 'pod' });
    await using subject = await Subject.start('watchchain', [config]);
    await cluster.watched(1);
    const rates: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const { events } = await subject.usage();
      const reached = subject.reached(events + CHANGES);
      // Pushed as a block made beforehand: when the push is answered, all of it is on the watch.
      await cluster.push({ what: 'image', kind: 'pod', count: CHANGES });
      const pushedMs = performance.timeOrigin + performance.now();
      const { atMs } = await reached;
      await subject.idle();
      if (round > 0) rates.push(CHANGES / ((atMs - pushedMs) / 1_000));
    }
    return [
      {
        what: 'watch, accept, diff, log, durable, every event a change',
        measured: median(rates),
        unit: 'changes/s',
        limit: { atLeast: 2_500 },
      },
    ];
  },
};
