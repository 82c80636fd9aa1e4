/** docs/metrics.md: every metric, from the registry itself. */
import { createMetrics } from './metrics.ts';

const INTRO = `# Metrics

At \`/metrics\`, for Prometheus. \`make docs\` writes this page from the program.

A label has as many values as the configuration has names: chains, handlers, receivers (the host, never a URL), resources and namespaces. No object's name is a label.
`;

/** What an operator has to act on. */
const ALERTS: readonly (readonly [expression: string, meaning: string])[] = [
  ['watchchain_dead_letters > 0', 'somebody was not told: `watchchain dead list`'],
  ['watchchain_scope_synced == 0', 'a kind is not watched: `/readyz` says why'],
  ['time() - watchchain_scope_last_heard_timestamp_seconds > 900', 'a watch that says nothing, not even a bookmark'],
  ['watchchain_breaker_open == 1', 'a receiver fails: what it should get waits'],
  ['watchchain_pending > 1000', 'changes come faster than they are told, or a receiver is down'],
  ['watchchain_config_last_reload_successful == 0', 'the file on the disk is not what runs: the log says why'],
  ['absent(watchchain_scope_synced)', 'nothing watches'],
];

/** Markdown: a row for each metric, in the order in which they are declared. */
export function metricsPage(): string {
  const rows = createMetrics()
    .registry.getMetricsAsArray()
    .map((metric) => [`\`${metric.name}\``, String(metric.type), labelsOf(metric), metric.help]);
  const alerts = ALERTS.map(([expression, meaning]) => [`\`${expression}\``, meaning]);
  return [
    INTRO,
    table([['metric', 'type', 'labels', 'what'], ...rows]),
    '## Worth an alert\n',
    table([['expression', 'what it says'], ...alerts]),
  ].join('\n');
}

/** Its type does not say so, but each metric of prom-client has them. */
function labelsOf(metric: object): string {
  const labels: unknown = Reflect.get(metric, 'labelNames');
  return Array.isArray(labels) ? labels.map((label) => `\`${String(label)}\``).join(', ') : '';
}

function table([head = [], ...body]: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}
