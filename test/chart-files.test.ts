/** The chart's files that other programs read: everything they refer to exists. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { loadHandler } from '../src/chain/load.ts';
import { loadConfig } from '../src/config/load.ts';
import { collectProcessMetrics, createMetrics } from '../src/metrics.ts';

const FILES = new URL('../chart/files/', import.meta.url);
const read = (file: string) => readFile(new URL(file, FILES), 'utf8');

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const { panels } = JSON.parse(await read('dashboard.json')) as { readonly panels: readonly Panel[] };
const metrics = createMetrics();
collectProcessMetrics(metrics);
/** Labels by series, as Prometheus stores them. */
const SERIES = new Map(
  metrics.registry.getMetricsAsArray().flatMap((metric) => {
    const labels = Reflect.get(metric, 'labelNames') as readonly string[];
    const { name } = metric;
    return String(metric.type) === 'histogram'
      ? ['_bucket', '_sum', '_count'].map((end) => [name + end, [...labels, 'le']] as const)
      : [[name, labels] as const];
  }),
);

/** Labels that Prometheus adds to scraped series, and its name for a label of ours that collides with one of them. */
const SCRAPED = ['namespace', 'pod', 'exported_namespace'];

describe('the dashboard uses existing series and labels', () => {
  for (const { title, targets } of panels) {
    test(title, () => {
      for (const { expr, legendFormat } of targets) {
        const names = [...expr.matchAll(/\b(?:watchchain|process|nodejs)_\w+/g)].map(([name]) => name);
        assert.ok(names.length > 0);
        const unknown = names.filter((name) => !SERIES.has(name));
        const known = [...names.flatMap((name) => SERIES.get(name) ?? []), ...SCRAPED];
        const grouped = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(', ');
        const left = grouped ?? (/^(sum|min|count)\(/.test(expr) ? [] : known);
        const shown = [...legendFormat.matchAll(/{{(\w+)}}/g)].map(([, label = '']) => label);
        unknown.push(...(grouped ?? []).filter((label) => !known.includes(label)));
        unknown.push(...shown.filter((label) => !left.includes(label)));
        assert.deepEqual(unknown, [], expr);
      }
    });
  }
});

test('the panels of the dashboard have unique ids and do not overlap', () => {
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, n) => `${x + (n % w)} ${y + Math.floor(n / w)}`),
  );
  assert.equal(new Set(cells).size, cells.length);
});

test('the configurations of the chart are valid', async () => {
  const env = {
    SLACK_TOKEN: 't',
    SLACK_CHANNEL: '#c',
    SLACK_WEBHOOK_URL: 'https://x.example',
    MANAGEMENT_CLUSTER: 'mc',
  };
  for (const file of ['config.toml', 'giant-swarm.yaml']) {
    const { chains, warnings } = await loadConfig(new URL(file, FILES).pathname, { env, loadHandler });
    assert.ok(chains.every(({ resources }) => resources.length > 0));
    assert.deepEqual(warnings, [], file);
  }
});
