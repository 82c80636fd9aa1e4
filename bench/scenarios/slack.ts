/** A changed deployment on its way to Slack: CPU, and leftover sockets. */
import { startReceiver, type CapturedReceiver } from '../../src/testing/receiver.ts';
import { Cluster } from '../rig/cluster.ts';
import { median, type Scenario, type ScenarioContext } from '../rig/figure.ts';
import { writeConfig } from '../rig/places.ts';
import { Subject } from '../rig/subject.ts';

const DEPLOYMENTS = 500;
const CHANGES = 1_000;
const PER_SECOND = 200;
const ROUNDS = 3;
/** Changes before the first that counts, for both subjects: V8 keeps compiling hot code for some thousand of them. */
const WARM_UP = 5_000;
const WARM_UP_PER_SECOND = 1_000;
const DELIVERIES = 5_000;

export const slack: Scenario = {
  name: 'slack',
  how: `CPU time of the whole process per changed 7.7 KB deployment, ${CHANGES} at ${PER_SECOND}/s, median of ${ROUNDS} rounds after ${WARM_UP} that do not
count, both at the same time on two API servers. Ours is accepted, diffed, posted and ended on disk; the bare loop keeps nothing. Sockets: of the
process, the connections that are kept alive included, which as many deliveries before have opened.`,
  async run(context) {
    await using stack = new AsyncDisposableStack();
    const receiver = stack.use(await startReceiver());
    const ours = await startOurs(context, stack, `${receiver.url}/services/T0/B0/x`);
    const bare = await startBare(context, stack, receiver.url);
    const pushToBoth = async (count: number, perSecond: number): Promise<void> => {
      const expected = receiver.requests.length + 2 * count;
      const push = { what: 'image', kind: 'deployment', count, perSecond } as const;
      await Promise.all([ours.cluster.push(push), bare.cluster.push(push)]);
      await receiver.waitFor(expected, 60_000);
      await ours.subject.idle();
    };
    const costs: { ours: number; bare: number }[] = [];
    await pushToBoth(WARM_UP, WARM_UP_PER_SECOND);
    for (let round = 0; round < (context.quick ? 1 : ROUNDS); round++) {
      const [ourUsage, bareUsage] = [await ours.subject.usage(), await bare.subject.usage()];
      await pushToBoth(CHANGES, PER_SECOND);
      const [ourEnd, bareEnd] = [await ours.subject.usage(), await bare.subject.usage()];
      costs.push({ ours: ourEnd.cpuMs - ourUsage.cpuMs, bare: bareEnd.cpuMs - bareUsage.cpuMs });
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
        what: `open sockets after ${DELIVERIES} more deliveries, less those before`,
        measured: await socketsLeftBehind(ours, receiver),
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

/** How many more sockets are open after {@link DELIVERIES} than after as many before, which opened the keep-alive connections. */
async function socketsLeftBehind({ cluster, subject }: Pair, receiver: CapturedReceiver): Promise<number> {
  const after = async (count: number): Promise<number> => {
    const expected = receiver.requests.length + count;
    await cluster.push({ what: 'image', kind: 'deployment', count });
    await receiver.waitFor(expected, 60_000);
    return (await subject.idle()).sockets;
  };
  const before = await after(DELIVERIES);
  return (await after(DELIVERIES)) - before;
}
