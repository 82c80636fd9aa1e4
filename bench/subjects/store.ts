/**
 * The store alone: `store.ts FOLDER`. Accepts batches of 50 objects of 2 KB, each a change, one batch after the other, each
 * durable before it counts, and measures the lag of the event loop meanwhile.
 */
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import type { Observation } from '../../src/store/scope.ts';
import { Report } from './report.ts';

const BATCH = 50;
const BODY_BYTES = 2_000;
const OBJECTS = 1_000;

const [folder = '', batches = ''] = process.argv.slice(2);
const store = await openSqliteStore({ path: join(folder, 'store.sqlite'), cluster: { id: 'bench', name: 'bench' } });
const { id: scope } = await store.openScope({
  group: '',
  resource: 'configmaps',
  namespace: '',
  labelSelector: '',
  fieldSelector: '',
  version: 'v1',
  kind: 'ConfigMap',
  chains: ['default'],
});
const delays = monitorEventLoopDelay({ resolution: 1 });
const report = new Report({ own: () => ({ loopDelayP99Ms: delays.percentile(99) / 1e6 }) });
report.ready();
// Lets the benchmark ask before the first batch begins.
await delay(100);
delays.enable();
for (let batch = 0; batch < Number(batches); batch++) {
  const observations = Array.from({ length: BATCH }, (_, n) => observation(batch * BATCH + n));
  const { changes } = await store.accept({ scope, observations, cursor: String(batch) });
  report.done(changes);
}
delays.disable();

function observation(n: number): Observation {
  const key = `team-${n % 10}/settings-${n % OBJECTS}`;
  const body = Buffer.alloc(BODY_BYTES, `{"metadata":{"name":"settings-${n % OBJECTS}"},"data":{"n":"${n}"}}`);
  return { type: 'seen', key, uid: `uid-${n % OBJECTS}`, resourceVersion: String(n), digest: n, body };
}
