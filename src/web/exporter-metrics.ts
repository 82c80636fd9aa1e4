/** kubernetes-event-exporter's metrics under their own names, computed from ours, for dashboards and alerts made for it. */
import { Counter, Gauge } from 'prom-client';
import type { Metrics } from '../metrics.ts';
import { VERSION } from '../version.ts';

type Labels = Partial<Readonly<Record<string, string | number>>>;
type Read = (name: keyof Metrics, matches: (labels: Labels) => boolean) => Promise<number>;

const isEvent = ({ resource }: Labels) => /(^|\/)events$/.test(String(resource));
const isMaxAgeHandler = ({ handler }: Labels) => String(handler).endsWith('/maxAge');

/** The exporter's counters, each with the value that ours give it. */
const COUNTERS: Readonly<Record<string, { readonly help: string; readonly value: (read: Read) => Promise<number> }>> = {
  events_sent: {
    help: 'Events that were not too old when they came, whatever became of them',
    value: async (read) => (await read('changes', isEvent)) - (await tooOld(read)),
  },
  events_discarded: { help: 'Events that were too old when they came', value: (read) => tooOld(read) },
  watch_errors: {
    help: 'Watches that failed',
    value: (read) => read('watchRestarts', ({ reason }) => reason !== 'ended'),
  },
  send_event_errors: {
    help: 'Requests to receivers that failed',
    value: (read) => read('deliveries', ({ outcome }) => outcome !== 'ok'),
  },
  kube_api_read_cache_hits: {
    help: 'Involved objects that were known already',
    value: (read) => read('lookups', ({ outcome }) => isKnown(outcome)),
  },
  kube_api_read_cache_misses: {
    help: 'Involved objects that the API server was asked for',
    value: (read) => read('lookups', ({ outcome }) => !isKnown(outcome)),
  },
};

const isKnown = (outcome: Labels[string]) => outcome === 'baseline' || outcome === 'cache';
const tooOld = (read: Read) => read('verdicts', (labels) => isMaxAgeHandler(labels) && labels['verdict'] === 'halt');

/** Adds the seven to our registry, each computed on collection. @param prefix the exporter's `metricsNamePrefix`; may be empty */
export function addExporterMetrics(metrics: Metrics, prefix: string): void {
  const build = new Gauge({
    name: `${prefix}build_info`,
    help: 'Always 1; the labels name the running version',
    labelNames: ['version', 'revision', 'goversion', 'goos', 'goarch'],
    registers: [],
  });
  build.set({ version: VERSION, revision: '', goversion: '', goos: process.platform, goarch: process.arch }, 1);
  metrics.registry.registerMetric(build);
  const read: Read = async (name, matches) => {
    const metric = metrics[name];
    if (!(metric instanceof Counter)) return 0;
    const { values } = await metric.get();
    return values.reduce((sum, { labels, value }) => (matches(labels) ? sum + value : sum), 0);
  };
  for (const [name, { help, value }] of Object.entries(COUNTERS)) {
    let reported = 0;
    const counter = new Counter({
      name: `${prefix}${name}`,
      help,
      registers: [],
      async collect() {
        // An Event is counted when seen and found too old a moment later, which lowers the value: a counter must not go down.
        const increase = (await value(read)) - reported;
        if (increase <= 0) return;
        this.inc(increase);
        reported += increase;
      },
    });
    metrics.registry.registerMetric(counter);
  }
}
