/** A burst of Kubernetes Events to a webhook, a file and stdout, and the latency of single ones. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startReceiver, type CapturedReceiver, type CapturedRequest } from '../../src/testing/receiver.ts';
import { Cluster } from '../rig/cluster.ts';
import { median, percentile, type Figure, type Scenario, type ScenarioContext } from '../rig/figure.ts';
import { writeChain } from '../rig/places.ts';
import { Subject } from '../rig/subject.ts';

const EVENTS = 5_000;
const ROUNDS = 5;
const PER_SECOND = 20;
const WARM_UP_EVENTS = 1_000;
const POLL_MS = 20;

const LAYOUT = `layout = { uid = "{{ change.uid }}", text = "{{ event.reason }}: {{ event.message }}", pod = "{{ event.involvedObject.name }}", count = "{{ event.count }}" }`;

/** A chain that sends Events to this sink. @param sink its table without the layout */
const chainTo = (sink: string): string => `[[resource]]\nkind = "event"\n[[handler]]\n${sink}\n${LAYOUT}\n`;

export const eventsWebhook: Scenario = {
  name: 'events-webhook',
  how: `${EVENTS} new Events of 1.4 KB at once to a webhook on this machine. CPU time of the whole process per Event, median of ${ROUNDS} rounds
after a first one; ours, durable, and the bare loop (client-node's informer and one undici POST after the other) by turns. Rate: wall
time from the burst to the last POST; other work on this machine lowers it.`,
  async run(context) {
    await using stack = new AsyncDisposableStack();
    const receiver = stack.use(await startReceiver());
    const posts = counting(receiver);
    const ours = await startOurs(context, stack, `name = "webhook"\nurl = "${receiver.url}/ours"`, posts);
    const bare = await startBare(context, stack, `${receiver.url}/bare`, posts);
    const [cost, bareCost] = await alternate([ours, bare], context);
    const delivered = receiver.requests.filter(({ path }) => path === '/ours').map(uidOf);
    const sent = (context.quick ? 2 : ROUNDS + 1) * EVENTS;
    return [
      { what: 'Events to a webhook, durable', measured: cost.perSecond, unit: '/s', limit: { atLeast: 2_000 } },
      {
        what: 'Events lost, or delivered twice',
        measured: sent - new Set(delivered).size + (delivered.length - new Set(delivered).size),
        unit: 'Events',
        limit: { atMost: 0 },
      },
      againstBare('an Event to the POST at a webhook, durable: CPU', cost, bareCost, 1.3),
    ];
  },
};

export const eventsLines: Scenario = {
  name: 'events-lines',
  how: `The same burst to a file and to stdout, durable, against the same bare loop with its POST.`,
  async run(context) {
    await using stack = new AsyncDisposableStack();
    const receiver = stack.use(await startReceiver());
    const file = join(await context.folder(), 'events.jsonl');
    const toFile = await startOurs(context, stack, `name = "file"\npath = "${file}"`, linesIn(file));
    const toStdout = await startOurs(context, stack, 'name = "stdout"', undefined);
    const bare = await startBare(context, stack, receiver.url, counting(receiver));
    const [fileCost, stdoutCost, bareCost] = await alternate([toFile, toStdout, bare], context);
    return [
      againstBare('an Event to a line in a file, durable: CPU', fileCost, bareCost, 0.6),
      againstBare('an Event to a line on stdout, durable: CPU', stdoutCost, bareCost, 0.6),
    ];
  },
};

export const eventsLatency: Scenario = {
  name: 'events-latency',
  how: `Milliseconds from the write of an Event to its message, complete, at the webhook: ${PER_SECOND} Events/s for a minute, after ${WARM_UP_EVENTS} that do
not count. Durable. Other work on this machine shows in the p99 first.`,
  async run(context) {
    await using stack = new AsyncDisposableStack();
    const receiver = stack.use(await startReceiver());
    const sink = `name = "webhook"\nurl = "${receiver.url}/ours"`;
    const { cluster, subject } = await startOurs(context, stack, sink, counting(receiver));
    await cluster.push({ what: 'events', count: WARM_UP_EVENTS, perSecond: 200 });
    await receiver.waitFor(WARM_UP_EVENTS);
    await subject.idle();
    const count = PER_SECOND * (context.quick ? 10 : 60);
    const { atMs = [] } = await cluster.push({ what: 'events', count, perSecond: PER_SECOND });
    await receiver.waitFor(WARM_UP_EVENTS + count, 30_000);
    // At this pace they arrive one after the other: the nth request is for the nth Event.
    const took = receiver.requests.slice(WARM_UP_EVENTS).map(({ at }, n) => at - (atMs[n] ?? NaN));
    return [
      { what: 'from the Event to the POST, p50', measured: percentile(took, 0.5), unit: 'ms', limit: { atMost: 5 } },
      { what: 'from the Event to the POST, p99', measured: percentile(took, 0.99), unit: 'ms', limit: { atMost: 20 } },
    ];
  },
};

interface Runner {
  readonly cluster: Cluster;
  readonly subject: Subject;
  /** Resolves when `events` more have arrived since it was called. Undefined: the subject counts them itself. */
  readonly arrived: ((events: number) => () => Promise<void>) | undefined;
}

interface Cost {
  readonly cpuMs: number;
  readonly perSecond: number;
}

async function startOurs(
  { folder }: ScenarioContext,
  stack: AsyncDisposableStack,
  sink: string,
  arrived: Runner['arrived'],
): Promise<Runner> {
  const place = await folder();
  const cluster = stack.use(await Cluster.start(place, 'pod', 0));
  const config = await writeChain(place, cluster.kubeconfig, chainTo(sink));
  const subject = stack.use(await Subject.start('watchchain', [config]));
  await cluster.watched(1);
  return { cluster, subject, arrived };
}

async function startBare(
  { folder }: ScenarioContext,
  stack: AsyncDisposableStack,
  url: string,
  arrived: Runner['arrived'],
): Promise<Runner> {
  const cluster = stack.use(await Cluster.start(await folder(), 'pod', 0));
  const subject = stack.use(await Subject.start('client-node', [cluster.kubeconfig, 'events', url]));
  await cluster.watched(1);
  return { cluster, subject, arrived };
}

/** Medians, in the order of the runners. */
async function alternate<const R extends readonly Runner[]>(
  runners: R,
  { quick }: ScenarioContext,
): Promise<{ readonly [K in keyof R]: Cost }> {
  const costs: Cost[][] = runners.map(() => []);
  for (let round = 0; round <= (quick ? 1 : ROUNDS); round++) {
    for (const [n, runner] of runners.entries()) {
      const cost = await burst(runner);
      if (round > 0) costs[n]?.push(cost);
    }
  }
  const medians = costs.map((rounds) => ({
    cpuMs: median(rounds.map(({ cpuMs }) => cpuMs)),
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
  }));
  return medians as unknown as { readonly [K in keyof R]: Cost };
}

/** Pushed as a block made beforehand: when the push is answered, all of it is on the watch. */
async function burst({ cluster, subject, arrived }: Runner): Promise<Cost> {
  const before = await subject.usage();
  const wait = arrived?.(EVENTS) ?? (() => reached);
  const reached = arrived === undefined ? subject.reached(before.events + EVENTS) : undefined;
  await cluster.push({ what: 'events', count: EVENTS });
  const pushedMs = performance.now();
  await wait();
  const tookMs = performance.now() - pushedMs;
  const { cpuMs } = await subject.idle();
  return { cpuMs: cpuMs - before.cpuMs, perSecond: EVENTS / (tookMs / 1_000) };
}

function counting(receiver: CapturedReceiver): Runner['arrived'] {
  return (events) => {
    const expected = receiver.requests.length + events;
    return () => receiver.waitFor(expected, 60_000);
  };
}

function linesIn(file: string): Runner['arrived'] {
  let before = 0;
  return (events) => {
    before += events;
    const expected = before;
    return async () => {
      while ((await countLines(file)) < expected) await delay(POLL_MS);
    };
  };
}

async function countLines(file: string): Promise<number> {
  const text = await readFile(file).catch(() => Buffer.alloc(0));
  let lines = 0;
  for (let at = text.indexOf(10); at !== -1; at = text.indexOf(10, at + 1)) lines++;
  return lines;
}

function againstBare(what: string, ours: Cost, bare: Cost, atMost: number): Figure {
  const perEvent = ({ cpuMs }: Cost): number => (cpuMs / EVENTS) * 1_000;
  const denominator = { name: 'bare loop', value: perEvent(bare) };
  return { what, measured: perEvent(ours), denominator, unit: 'µs', limit: { atMost } };
}

function uidOf({ body }: CapturedRequest): string {
  return (JSON.parse(body) as { readonly uid: string }).uid;
}
