/** What a watch event costs until it is handed over. */
import { Cluster, type Kind, type Push } from '../rig/cluster.ts';
import { median, type Figure, type Scenario, type ScenarioContext } from '../rig/figure.ts';
import { Subject } from '../rig/subject.ts';

const PODS = 1_000;
const EVENTS = 5_000;
const ROUNDS = 7;
/** Rounds before the first that counts: V8 keeps compiling hot code for some 20,000 events, which a service soon has handled. */
const WARM_UP = 5;

const SUBJECTS = {
  bare: ['cut-and-parse'],
  clientNode: ['client-node', 'pods'],
  parse: ['source', 'parse'],
  diff: ['source', 'diff'],
} as const;
type Name = keyof typeof SUBJECTS;

/** A subject and the cluster that only it watches. */
interface Pair {
  readonly cluster: Cluster;
  readonly subject: Subject;
}

export const events: Scenario = {
  name: 'events',
  how: `CPU time of the whole process for ${EVENTS} watch events of 7.7 KB pods, median of ${ROUNDS} rounds; the subjects take turns,
each with an API server of its own, after ${WARM_UP} rounds that do not count. "Cut and parse" cuts managedFields and parses, on the same
stream, and does nothing else: what parses every object can be no faster. Ours includes the digest, the redaction and the index.`,
  async run(context): Promise<readonly Figure[]> {
    await using stack = new AsyncDisposableStack();
    const pairs = new Map<Name, Pair>();
    for (const name of Object.keys(SUBJECTS) as Name[]) pairs.set(name, await start(name, context, stack));
    const images = await alternate(pairs, ['bare', 'clientNode', 'parse', 'diff'], 'image', context);
    const noise = await alternate(pairs, ['clientNode', 'diff'], 'noise', context);
    return figuresOf(images, noise);
  },
};

function figuresOf(images: ReadonlyMap<Name, number>, noise: ReadonlyMap<Name, number>): Figure[] {
  const perEvent = (from: ReadonlyMap<Name, number>, name: Name) => ((from.get(name) ?? NaN) / EVENTS) * 1_000;
  // The table shows how many times faster: the yardstick's time over ours.
  const faster = (what: string, from: ReadonlyMap<Name, number>, name: Name, atLeast: number): Figure => ({
    what,
    measured: perEvent(from, 'clientNode'),
    denominator: { name: 'client-node over ours', value: perEvent(from, name) },
    unit: 'µs',
    limit: { atLeast },
  });
  return [
    faster('events parsed and delivered', images, 'parse', 2),
    {
      what: 'events parsed and delivered',
      measured: perEvent(images, 'parse'),
      denominator: { name: 'cut and parse', value: perEvent(images, 'bare') },
      unit: 'µs',
      limit: { atMost: 1.4 },
    },
    faster('diff on every event', images, 'diff', 1.3),
    faster('events that change only noise', noise, 'diff', 4),
  ];
}

async function start(name: Name, context: ScenarioContext, stack: AsyncDisposableStack): Promise<Pair> {
  const [file, ...args] = SUBJECTS[name];
  const cluster = stack.use(await Cluster.start(await context.folder(), 'pod' satisfies Kind, PODS));
  const subject = stack.use(await Subject.start(file, [cluster.kubeconfig, ...args]));
  await cluster.watched(1);
  return { cluster, subject };
}

/** Median CPU milliseconds of a round, by subject. */
async function alternate(
  pairs: ReadonlyMap<Name, Pair>,
  names: readonly Name[],
  what: Push['what'],
  { quick }: ScenarioContext,
): Promise<ReadonlyMap<Name, number>> {
  const rounds = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = -WARM_UP; round < (quick ? 3 : ROUNDS); round++) {
    for (const name of names) {
      const pair = pairs.get(name);
      if (pair === undefined) continue;
      const cpuMs = await cpuOf(pair, what, name === 'diff' && what === 'noise');
      if (round >= 0) rounds.get(name)?.push(cpuMs);
    }
  }
  return new Map([...rounds].map(([name, values]) => [name, median(values)]));
}

/** CPU time of one push. Noise reaches no callback of ours, so a real change after it shows that it is processed. */
async function cpuOf({ cluster, subject }: Pair, what: Push['what'], isSilent: boolean): Promise<number> {
  const before = await subject.usage();
  const reached = subject.reached(before.events + (isSilent ? 1 : EVENTS));
  await cluster.push({ what, kind: 'pod', count: EVENTS });
  if (isSilent) await cluster.push({ what: 'image', kind: 'pod', count: 1 });
  return (await reached).cpuMs - before.cpuMs;
}
