import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';

test("a handler's counter does not replace a metric of the service", async () => {
  const { counters, registry } = createMetrics();
  const name = 'watchchain_changes_total';
  const before = registry.getSingleMetric(name);
  assert.ok(before);
  assert.throws(
    () => counters.counter({ name, help: 'Mine', labelNames: [], handler: 'default/./mine.ts' }),
    /watchchain_changes_total has already been registered/,
  );
  assert.equal(registry.getSingleMetric(name), before);
});
