/** A changed deployment on its way to Slack: CPU, and the sockets that stay behind. */
import { startReceiver, type CapturedReceiver } from '../../src/testing/receiver.ts';
import { Cluster } from '../rig/cluster.ts';
import { median, type Scenario, type ScenarioContext } from '../rig/figure.ts';
import { writeConfig } from '../rig/places.ts';
import { Subject } from '../rig/subject.ts';

const DEPLOYMENTS = 500;
const CHANGES = 1_000;
const PER_SECOND = 200;
const ROUNDS = 3;
const DELIVERIES = 5_000;

export const slack: Scenario = {
  name: 'slack',
  how: `CPU time of the whole process per changed 7.7 KB deployment, ${CHANGES} at ${PER_SECOND}/s, median of ${ROUNDS} rounds after a first one, both
at the same time on two API servers. Ours is accepted, diffed, posted and ended on disk; the bare loop keeps nothing. Sockets: of
the process, before the first delivery and after ${DELIVERIES}, when the connections that were kept alive have gone.`,
  async run(context) {
    await using stack = new AsyncDisposableStack();
    const receiver = stack.use(await startReceiver());
    const ours = await startOurs(context, stack, `${receiver.url}/services/T0/B0/x`);
    const bare = await startBare(context, stack, receiver.url);
    const before = await ours.subject.usage();
    const costs: { ours: number; bare: number }[] = [];
    for (let round = 0; round <= (context.quick ? 1 : ROUNDS); round++) {
      const expected = receiver.requests.length + 2 * CHANGES;
      const [ourUsage, bareUsage] = [await ours.subject.usage(), await bare.subject.usage()];
      const push = { what: 'image', kind: 'deployment', count: CHANGES, perSecond: PER_SECOND } as const;
      await Promise.all([ours.cluster.push(push), bare.cluster.push(push)]);
      await receiver.waitFor(expected, 30_000);
      const [ourEnd, bareEnd] = [await ours.subject.idle(), await bare.subject.usage()];
      if (round > 0) costs.push({ ours: ourEnd.cpuMs - ourUsage.cpuMs, bare: bareEnd.cpuMs - bareUsage.cpuMs });
    }
    return [
      {
        what: 'a changed deployment to the POST at Slack, durable: CPU',
        measured: perChange(costs.map((cost) => cost.ours)),
        denominator: { name: 'bare loop', value: perChange(costs.map((cost) => cost.bare)) },
        unit: 'µs',
        limit: { atMost: 1.6 },
      },
      {
        what: `open sockets after ${DELIVERIES} deliveries, over those before`,
        measured: (await socketsAfter(ours, receiver)) - before.sockets,
        unit: 'sockets',
        limit: { atMost: 0 },
      },
    ];
  },
};

/** Microseconds, from the milliseconds of each round. */
const perChange = (cpuMs: readonly number[]): number => (median(cpuMs) / CHANGES) * 1_000;

interface Pair {
  readonly cluster: Cluster;
  readonly subject: Subject;
}

async function startOurs({ folder }: ScenarioContext, stack: AsyncDisposableStack, webhookURL: string): Promise<Pair> {
  const place = await folder();
  const cluster = stack.use(await Cluster.start(place, 'deployment', DEPLOYMENTS));
  const config = await writeConfig(place, { kubeconfig: cluster.kubeconfig, kind: 'deployment', webhookURL });
  const subject = stack.use(await Subject.start('watchchain', [config]));
  await cluster.watched(1);
  return { cluster, subject };
}

async function startBare({ folder }: ScenarioContext, stack: AsyncDisposableStack, url: string): Promise<Pair> {
  const cluster = stack.use(await Cluster.start(await folder(), 'deployment', DEPLOYMENTS));
  const subject = stack.use(await Subject.start('client-node', [cluster.kubeconfig, 'deployments', url]));
  await cluster.watched(1);
  return { cluster, subject };
}

async function socketsAfter({ cluster, subject }: Pair, receiver: CapturedReceiver): Promise<number> {
  const expected = receiver.requests.length + DELIVERIES;
  await cluster.push({ what: 'image', kind: 'deployment', count: DELIVERIES });
  await receiver.waitFor(expected, 60_000);
  await subject.idle();
  return (await subject.usage()).sockets;
}
