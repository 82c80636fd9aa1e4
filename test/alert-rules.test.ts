/** Checks the alert rules themselves. test/cluster/alerts.test.ts shows that each fires. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { createMetrics } from '../src/metrics.ts';
import type { RuleFile } from '../docs/metrics-page.ts';

const read = (file: string) => readFile(new URL(`../${file}`, import.meta.url), 'utf8');
const { groups } = parse(await read('chart/files/alerts.yaml')) as RuleFile;
const operations = await read('docs/operations.md');

describe('the alerts', () => {
  for (const { alert, expr, for: lasts, labels, annotations } of groups.flatMap(({ rules }) => rules)) {
    test(`${alert} has a duration, a severity, a summary and a runbook, and uses existing metrics`, () => {
      assert.match(lasts, /^\d+m$/);
      assert.match(labels.severity, /^(warning|critical)$/);
      assert.match(annotations.summary, /\w/);
      assert.match(annotations.description, /\.$/);
      const [page = '', heading] = annotations.runbook_url.split('/blob/main/')[1]?.split('#') ?? [];
      assert.equal(page, 'docs/operations.md');
      assert.equal(heading, alert.toLowerCase());
      assert.match(operations, new RegExp(`^### ${alert}$`, 'm'));
      const known = new Set(
        createMetrics()
          .registry.getMetricsAsArray()
          .map(({ name }) => name),
      );
      const asked = expr.match(/watchchain_\w+/g) ?? [];
      assert.notEqual(asked.length, 0);
      assert.deepEqual(
        asked.filter((name) => !known.has(name)),
        [],
      );
    });
  }
});
