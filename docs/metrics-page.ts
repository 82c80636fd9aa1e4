/** docs/metrics.md: every metric, from the registry itself, and every alert, from the rule file. */
import { table } from '../src/text/markdown.ts';
import { createMetrics } from '../src/metrics.ts';

const INTRO = `# Metrics

watchchain serves these at \`/metrics\`, for Prometheus. \`make docs\` generates this page from the program.

A label has only as many values as the configuration has names: chains, handlers, receivers (by the handler that sends, never a URL), resources and namespaces. No label holds the name of an object. The handler [\`count\`](handlers/count.md) adds counters with labels of your choice, such as the reasons of Events. Values read from the store are at most 15 seconds old.
`;

const OF_THE_PROCESS = `
There are also the usual metrics of the process and of Node, under the names that dashboards know: \`process_cpu_seconds_total\`, \`process_resident_memory_bytes\`, \`process_open_fds\`, \`nodejs_gc_duration_seconds\` and others. The delay of the event loop since the last scrape is \`nodejs_eventloop_lag_p50_seconds\`, \`..._p99_seconds\` and \`..._max_seconds\`; at rest it is 10 ms, the interval at which it is sampled.

With \`[web] exporterMetrics\`, which a configuration of kubernetes-event-exporter sets, its seven metrics are there too: \`build_info\`, \`events_sent\`, \`events_discarded\`, \`watch_errors\`, \`send_event_errors\`, \`kube_api_read_cache_hits\` and \`kube_api_read_cache_misses\`, with its prefix and without labels.

## Alerts

The rules are in [alerts.yaml](../chart/files/alerts.yaml), which Prometheus loads unchanged; the chart turns it into a PrometheusRule (\`prometheusRule.create\`). Each alert links to what to do, in [operations.md](operations.md#alerts). Tests bring the program into each of these states and check that the alert fires.
`;

/** One alert of the rule file. */
export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook_url: string };
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[];
}

/** Markdown: a row for each metric, in the order in which they are declared. */
export function metricsPage({ groups }: RuleFile): string {
  const rows = createMetrics()
    .registry.getMetricsAsArray()
    .map((metric) => [`\`${metric.name}\``, String(metric.type), labelsOf(metric), metric.help]);
  const alerts = groups
    .flatMap(({ rules }) => rules)
    .map((rule) => [rule.alert, `\`${rule.expr}\``, rule.for, rule.labels.severity, rule.annotations.description]);
  return [
    INTRO,
    `${table(['metric', 'type', 'labels', 'what'], rows)}\n`,
    OF_THE_PROCESS,
    `${table(['alert', 'expression', 'for', 'severity', 'what it says'], alerts)}\n`,
  ].join('\n');
}

/** The label names, which every metric of prom-client has, although its type lacks them. */
function labelsOf(metric: object): string {
  const labels: unknown = Reflect.get(metric, 'labelNames');
  return Array.isArray(labels) ? labels.map((label) => `\`${String(label)}\``).join(', ') : '';
}
