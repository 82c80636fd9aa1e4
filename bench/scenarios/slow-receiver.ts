/** A slow receiver, and many objects that change at once. */
import { startReceiver } from '../../src/testing/receiver.ts';
import { Cluster } from '../rig/cluster.ts';
import type { Scenario } from '../rig/figure.ts';
import { writeConfig } from '../rig/places.ts';
import { Subject } from '../rig/subject.ts';

const OBJECTS = 500;
const RECEIVER_MS = 200;

export const slowReceiver: Scenario = {
  name: 'slow-receiver',
  how: `Wall time from ${OBJECTS} changes of different objects on the watch to the last message at a webhook that answers after ${RECEIVER_MS} ms.`,
  async run({ folder }) {
    const place = await folder();
    await using receiver = await startReceiver(() => ({ delayMs: RECEIVER_MS }));
    await using cluster = await Cluster.start(place, 'deployment', OBJECTS);
    const webhookURL = `${receiver.url}/services/T0/B0/x`;
    const config = await writeConfig(place, { kubeconfig: cluster.kubeconfig, kind: 'deployment', webhookURL });
    await using subject = await Subject.start('watchchain', [config]);
    await cluster.watched(1);
    await cluster.push({ what: 'image', kind: 'deployment', count: OBJECTS });
    const startMs = performance.now();
    await receiver.waitFor(OBJECTS, 120_000);
    await subject.idle();
    const seconds = (performance.now() - startMs) / 1_000;
    return [
      {
        what: `${OBJECTS} changes of different objects, a receiver that takes ${RECEIVER_MS} ms`,
        measured: seconds,
        unit: 's',
        limit: { atMost: 20 },
      },
    ];
  },
};
