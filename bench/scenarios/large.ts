/** A large cluster: what its first list costs, and keeping up with it. */
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from '../rig/cluster.ts';
import type { Figure, Scenario, ScenarioContext } from '../rig/figure.ts';
import { writeConfig } from '../rig/places.ts';
import { Subject } from '../rig/subject.ts';
import type { Usage } from '../subjects/report.ts';

const OBJECTS = 20_000;
const REST_MS = 60_000;
const MIB = 1024 ** 2;

export const large: Scenario = {
  name: 'large',
  how: `${OBJECTS} pods of 7.7 KB: CPU time and peak RSS of the whole process from its start until it is in step, ours with everything in the store
on disk. Then ${REST_MS / 1_000} s in which nothing happens, beside a process that watches an empty cluster: RSS per object is the difference of the
two at the end, the load is the CPU time of that minute.`,
  async run(context) {
    const yardstick = await clientNode(context);
    const { synced, begun, rested, empty, seconds } = await ours(context);
    return figures(yardstick, synced, rested, empty, (rested.cpuMs - begun.cpuMs) / (seconds * 10));
  },
};

function figures(yardstick: Usage, synced: Usage, rested: Usage, empty: Usage, loadPercent: number): Figure[] {
  return [
    {
      what: `${OBJECTS} objects synced, store included: CPU`,
      measured: synced.cpuMs,
      denominator: { name: 'client-node', value: yardstick.cpuMs },
      unit: 'ms',
      limit: { atMost: 0.5 },
    },
    {
      what: `peak RSS of it (client-node ${Math.round(yardstick.peakRssBytes / MIB)} MiB)`,
      measured: synced.peakRssBytes / MIB,
      unit: 'MiB',
      limit: { atMost: 300 },
    },
    {
      what: `RSS per object at rest: (${mib(rested)} - ${mib(empty)}) / ${OBJECTS}`,
      measured: (rested.rssBytes - empty.rssBytes) / OBJECTS,
      unit: 'bytes',
      limit: { atMost: 1_024 },
    },
    { what: `load at rest, of one core`, measured: loadPercent, unit: '%', limit: { atMost: 1 } },
  ];
}

const mib = ({ rssBytes }: Usage): string => `${(rssBytes / MIB).toFixed(1)} MiB`;

async function clientNode({ folder }: ScenarioContext): Promise<Usage> {
  await using cluster = await Cluster.start(await folder(), 'pod', OBJECTS);
  await using subject = await Subject.start('client-node', [cluster.kubeconfig, 'pods']);
  return await subject.usage();
}

async function ours({ folder, quick }: ScenarioContext) {
  await using stack = new AsyncDisposableStack();
  const start = async (count: number): Promise<Subject> => {
    const place = await folder();
    const cluster = stack.use(await Cluster.start(place, 'pod', count));
    const subject = stack.use(
      await Subject.start('watchchain', [await writeConfig(place, { kubeconfig: cluster.kubeconfig, kind: 'pod' })]),
    );
    await cluster.watched(1);
    return subject;
  };
  const full = await start(OBJECTS);
  const synced = await full.usage();
  const none = await start(0);
  const restMs = quick ? REST_MS / 6 : REST_MS;
  const begun = await full.usage();
  await delay(restMs);
  const rested = await full.usage();
  return { synced, begun, rested, empty: await none.usage(), seconds: restMs / 1_000 };
}
