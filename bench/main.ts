/**
 * `make bench` (`ARGS="events store --quick"` for some of them, and a first look): measures each figure that the program
 * promises, beside its yardstick from the same run, and exits with 1 if one is missed. Some measure `dist/`, which make builds.
 */
import { isMet, lineOf, type Figure, type Scenario } from './rig/figure.ts';
import { Places } from './rig/places.ts';
import { backlog, recovery } from './scenarios/backlog.ts';
import { events } from './scenarios/events.ts';
import { eventsLatency, eventsLines, eventsWebhook } from './scenarios/kubernetes-events.ts';
import { large } from './scenarios/large.ts';
import { latency } from './scenarios/latency.ts';
import { plugins } from './scenarios/plugins.ts';
import { page } from './scenarios/page.ts';
import { sizes } from './scenarios/sizes.ts';
import { slack } from './scenarios/slack.ts';
import { slowReceiver } from './scenarios/slow-receiver.ts';
import { store } from './scenarios/store.ts';
import { throughput } from './scenarios/throughput.ts';

/** Run one after the other, so that none disturbs another. */
const SCENARIOS: readonly Scenario[] = [
  events,
  throughput,
  store,
  slack,
  latency,
  slowReceiver,
  page,
  eventsWebhook,
  eventsLines,
  eventsLatency,
  backlog,
  recovery,
  plugins,
  large,
  sizes,
];

const given = process.argv.slice(2);
const quick = given.includes('--quick');
const names = given.filter((name) => name !== '--quick');
const known = SCENARIOS.map(({ name }) => name);
const unknown = names.filter((name) => !known.includes(name));

if (unknown.length > 0) {
  process.stderr.write(`bench: unknown: ${unknown.join(', ')}; there are ${known.join(', ')} and --quick\n`);
  process.exitCode = 2;
} else {
  const figures = await measure(SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name)));
  const missed = figures.filter((figure) => !isMet(figure)).length;
  process.stdout.write(`\n${figures.length - missed} of ${figures.length} figures met\n`);
  if (missed > 0) process.exitCode = 1;
}

async function measure(scenarios: readonly Scenario[]): Promise<readonly Figure[]> {
  await using places = await Places.make();
  const all: Figure[] = [];
  for (const { name, how, run } of scenarios) {
    process.stdout.write(`\n${name}: ${how}\n`);
    const figures = await run({ folder: () => places.folder(), quick });
    for (const figure of figures) process.stdout.write(`  ${lineOf(figure)}\n`);
    all.push(...figures);
  }
  return all;
}
