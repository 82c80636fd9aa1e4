/** The files of the chart that others read: what they name is there. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { loadHandler } from '../src/chain/load.ts';
import { loadConfig } from '../src/config/load.ts';
import { createMetrics } from '../src/metrics.ts';

const FILES = new URL('../chart/files/', import.meta.url);
const read = (file: string) => readFile(new URL(file, FILES), 'utf8');

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const { panels } = JSON.parse(await read('dashboard.json')) as { readonly panels: readonly Panel[] };
/** Labels by series, as Prometheus stores them. */
const SERIES = new Map(
  createMetrics()
    .registry.getMetricsAsArray()
    .flatMap((metric) => {
      const labels = Reflect.get(metric, 'labelNames') as readonly string[];
      const { name } = metric;
      return String(metric.type) === 'histogram'
        ? ['_bucket', '_sum', '_count'].map((end) => [name + end, [...labels, 'le']] as const)
        : [[name, labels] as const];
    }),
);

/** Those that Prometheus gives to what it scrapes, and what a label is called that is also one of these. */
const SCRAPED = ['namespace', 'pod', 'job', 'exported_namespace'];

describe('the dashboard asks for metrics and labels that there are', () => {
  for (const { title, targets } of panels) {
    test(title, () => {
      const expression = targets.map(({ expr }) => expr).join('\n');
      const names = [...expression.matchAll(/\bwatchchain_\w+/g)].map(([name]) => name);
      assert.ok(names.length > 0);
      assert.deepEqual(
        names.filter((name) => !SERIES.has(name)),
        [],
      );
      const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(', '));
      const known = names.flatMap((name) => [...(SERIES.get(name) ?? []), ...SCRAPED]);
      assert.deepEqual(
        grouped.filter((label) => !known.includes(label)),
        [],
      );
    });
  }
});

test('the panels of the dashboard have ids of their own, do not overlap, and name only labels that are left', () => {
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, n) => `${x + (n % w)} ${y + Math.floor(n / w)}`),
  );
  assert.equal(new Set(cells).size, cells.length);
  for (const { title, targets } of panels) {
    for (const { expr, legendFormat } of targets) {
      const shown = [...legendFormat.matchAll(/{{(\w+)}}/g)].map(([, label = '']) => label);
      const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(', ');
      const isAggregate = /^(sum|min|count)\(/.test(expr);
      const left = kept ?? (isAggregate ? [] : [...SCRAPED, 'resource']);
      assert.deepEqual(
        shown.filter((label) => !left.includes(label)),
        [],
        title,
      );
    }
  }
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
