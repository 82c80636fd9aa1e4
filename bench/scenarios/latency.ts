/** How soon a change is delivered, at a steady pace. */
import { startReceiver, type CapturedRequest } from '../../src/testing/receiver.ts';
import { Cluster } from '../rig/cluster.ts';
import { percentile, type Scenario } from '../rig/figure.ts';
import { writeConfig } from '../rig/places.ts';
import { Subject } from '../rig/subject.ts';

const DEPLOYMENTS = 200;
const PER_SECOND = 20;
const WARM_UP_CHANGES = 200;

export const latency: Scenario = {
  name: 'latency',
  how: `Milliseconds from the write of a 7.7 KB deployment to its message, complete, at the webhook: ${PER_SECOND} changes/s for a minute, after ${WARM_UP_CHANGES} that do not
count. Diffed and durable. Other work on this machine shows in the p99 first.`,
  async run({ folder, quick }) {
    const place = await folder();
    await using receiver = await startReceiver();
    await using cluster = await Cluster.start(place, 'deployment', DEPLOYMENTS);
    const webhookURL = `${receiver.url}/services/T0/B0/x`;
    const config = await writeConfig(place, { kubeconfig: cluster.kubeconfig, kind: 'deployment', webhookURL });
    await using subject = await Subject.start('watchchain', [config]);
    await cluster.watched(1);
    await cluster.push({ what: 'image', kind: 'deployment', count: WARM_UP_CHANGES, perSecond: 100 });
    await receiver.waitFor(WARM_UP_CHANGES);
    await subject.idle();
    const count = PER_SECOND * (quick ? 10 : 60);
    const { atMs = [] } = await cluster.push({ what: 'image', kind: 'deployment', count, perSecond: PER_SECOND });
    await receiver.waitFor(WARM_UP_CHANGES + count, 30_000);
    const took = receiver.requests
      .slice(WARM_UP_CHANGES)
      .map((request) => request.at - (atMs[numberOf(request)] ?? NaN));
    return [
      { what: 'from the write to the POST, p50', measured: percentile(took, 0.5), unit: 'ms', limit: { atMost: 5 } },
      { what: 'from the write to the POST, p99', measured: percentile(took, 0.99), unit: 'ms', limit: { atMost: 20 } },
    ];
  },
};

/** The number of the update within its push that a message is about: the new image's tag ends with it. */
function numberOf({ body }: CapturedRequest): number {
  const tag =
    body.match(/-> registry\.example\/shop\/web:2\.15\.(\d+)/)?.[1] ?? body.match(/-> (?:web:)?2\.15\.(\d+)/)?.[1];
  return Number(tag) % 1_000_000;
}
