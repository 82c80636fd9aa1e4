/**
 * The source alone: `source.ts KUBECONFIG parse|diff`. Everything from the socket to the accepted observation (digest, noise,
 * redaction, index), into a store that is not durable. `parse` hands over each update as a parsed manifest; `diff` keeps the
 * last bytes of each object, like a baseline, and hands over the diff handler's result for before and after.
 */
import diff from '../../handlers/diff/index.ts';
import type { Change } from '../../src/change.ts';
import { isHalt } from '../../src/chain/handler.ts';
import { systemClock } from '../../src/clock.ts';
import { EVERYTHING } from '../../src/interest.ts';
import { createLogger } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { connect } from '../../src/source/connect.ts';
import { Discovery } from '../../src/source/discovery.ts';
import { createSource } from '../../src/source/kubernetes-source.ts';
import { createRedactor } from '../../src/source/redact.ts';
import { attribute } from '../../src/store/attribution.ts';
import { changeOf } from '../../src/store/change-of.ts';
import type { AcceptBatch, Accepted, Observation, ScopeSpec, ScopeState } from '../../src/store/scope.ts';
import type { Store } from '../../src/store/store.ts';
import { testContext, testEnvironment } from '../../src/testing/handler.ts';
import { parseManifest } from '../../src/parse-json.ts';
import { keepYoungGenerationSmall } from '../../src/main/memory.ts';
import { Report } from './report.ts';

// As main.ts does it.
keepYoungGenerationSmall();
const [kubeconfig, work] = process.argv.slice(2);
const report = new Report();

/** The parts of a store that the informer uses, without durability. */
class Handover implements Pick<Store, 'openScope' | 'scopes' | 'discardStaged' | 'seen' | 'accept'> {
  readonly #onUpdate: (observation: Observation) => void | Promise<void>;
  #synced = false;

  constructor(onUpdate: (observation: Observation) => void | Promise<void>) {
    this.#onUpdate = onUpdate;
  }

  async openScope(_spec: ScopeSpec): Promise<ScopeState> {
    return { id: 1, cursor: undefined, basis: undefined, objects: 0 };
  }

  async scopes(): Promise<readonly []> {
    return [];
  }

  async discardStaged(): Promise<void> {}

  async seen(): Promise<readonly []> {
    return [];
  }

  async accept({ observations, basis }: AcceptBatch): Promise<Accepted> {
    for (const observation of observations) await this.#onUpdate(observation);
    if (!this.#synced && basis !== undefined) this.#synced = true;
    return { changes: 0, chains: [] };
  }
}

const cluster = { id: 'bench', name: 'bench' };
const gvk = { group: '', version: 'v1', kind: 'Pod' };
const handler = diff.type === 'transform' ? diff.create(diff.options.parse({}), testEnvironment()) : undefined;
const context = testContext();
const baseline = new Map<string, { readonly body: Uint8Array; readonly known: Uint8Array | undefined }>();

async function compare({
  key,
  uid,
  resourceVersion,
  body,
  managedFields,
  silent,
  flags = {},
}: Observation): Promise<void> {
  const before = baseline.get(key);
  const { by, known } =
    managedFields === undefined
      ? { by: [], known: undefined }
      : attribute(managedFields, { known: before?.known, now: Date.now() });
  baseline.set(key, { body, known });
  if (silent === true || before === undefined) return;
  const change: Change = changeOf(
    {
      id: 1,
      action: 'updated',
      gvk,
      resource: 'pods',
      key,
      uid,
      resourceVersion,
      before: before.body,
      after: body,
      actors: JSON.stringify(by),
      observedAt: 0,
      flags,
      cluster: undefined,
    },
    cluster,
  );
  const verdict = await handler?.handle(change, context);
  if (verdict !== undefined && !isHalt(verdict) && verdict.notes.diff !== undefined) report.done();
}

function parse({ body, silent }: Observation): void {
  if (parseManifest(body).metadata.name !== '' && silent !== true) report.done();
}

const stopping = new AbortController();
const log = createLogger({ level: 'warn', format: 'json', color: false, stream: process.stderr });
const connection = await connect({
  config: { kubeconfig, context: undefined, name: undefined, direct: undefined, maxSilenceMs: undefined },
  env: {},
  log,
  clock: systemClock,
  signal: stopping.signal,
});
const source = createSource({
  api: connection.api,
  discovery: new Discovery(connection.api),
  store: new Handover(work === 'diff' ? compare : parse) as unknown as Store,
  requests: [
    {
      kind: 'pod',
      apiVersion: undefined,
      namespace: '',
      labelSelector: '',
      fieldSelector: '',
      chains: ['default'],
      interest: work === 'diff' ? (diff.reads?.(diff.options.parse({})) ?? EVERYTHING) : EVERYTHING,
      at: 'bench',
    },
  ],
  redactor: createRedactor({ envNames: ['password', 'secret', 'token'], paths: [] }, new Uint8Array(32)),
  whileAway: 'each',
  existing: 'silent',
  identityIsCertain: true,
  isSameCluster: () => Promise.resolve(true),
  clock: systemClock,
  maxSilenceMs: undefined,
  log,
  metrics: createMetrics(),
  onAccepted: () => {},
});
await source.start();
await source.settled();
report.ready();
