/** docs/metrics.md: every metric, from the registry itself, and every alert, from the rule file. */
import { table } from '../src/markdown.ts';
import { createMetrics } from '../src/metrics.ts';

const INTRO = `# Metrics

At \`/metrics\`, for Prometheus. \`make docs\` writes this page from the program.

A label has as many values as the configuration has names: chains, handlers, receivers (by the handler that sends, never a URL), resources and namespaces. No object's name is a label. What is read from the store is at most 15 seconds old.
`;

const OF_THE_PROCESS = `
Beside these the usual ones of the process and of Node, by the names that dashboards know: \`process_cpu_seconds_total\`, \`process_resident_memory_bytes\`, \`process_open_fds\`, \`nodejs_gc_duration_seconds\` and others. The delay of the event loop since the last scrape is \`nodejs_eventloop_lag_p50_seconds\`, \`..._p99_seconds\` and \`..._max_seconds\`; at rest it is the 10 ms at which it is looked at.

With \`[web] exporterMetrics\`, which a configuration of kubernetes-event-exporter sets, its seven are there too: \`build_info\`, \`events_sent\`, \`events_discarded\`, \`watch_errors\`, \`send_event_errors\`, \`kube_api_read_cache_hits\` and \`kube_api_read_cache_misses\`, behind its prefix and without labels.

## Alerts

The rules are in [alerts.yaml](../chart/files/alerts.yaml), which Prometheus takes as it is; the chart makes a PrometheusRule of it (\`prometheusRule.create\`). Each links to what to do, in [operations.md](operations.md#alerts). Tests bring the program into each of these states and see the alert fire.
`;

/** One rule of the file. */
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

/** Its type does not say so, but each metric of prom-client has them. */
function labelsOf(metric: object): string {
  const labels: unknown = Reflect.get(metric, 'labelNames');
  return Array.isArray(labels) ? labels.map((label) => `\`${String(label)}\``).join(', ') : '';
}
