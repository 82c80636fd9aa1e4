/** The trips of changes as OpenTelemetry traces, sent to the test's own collector. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { startReceiver, type CapturedReceiver, type ReceiverAnswer } from '../../src/testing/receiver.ts';
import { VERSION } from '../../src/version.ts';
import { until } from '../until.ts';
import { deployment } from './cluster.ts';
import { World } from './world.ts';

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: string };
}

interface SpanJson {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code?: number; readonly message?: string };
}

interface TracesJson {
  readonly resourceSpans: readonly [
    {
      readonly resource: { readonly attributes: readonly Attribute[] };
      readonly scopeSpans: readonly [{ readonly spans: readonly SpanJson[] }];
    },
  ];
}

const TOKEN = 'b3a7c1e0-token';
const MANIFEST_TEXT = 'only-in-the-manifest';

function spansAt(collector: CapturedReceiver): readonly SpanJson[] {
  return collector.requests.flatMap(
    ({ body }) => (JSON.parse(body) as TracesJson).resourceSpans[0].scopeSpans[0].spans,
  );
}

const valuesOf = (attributes: readonly Attribute[]): Record<string, string | undefined> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]));

function configWith(collector: CapturedReceiver, { slack }: World, more = ''): string {
  return `[tracing]
endpoint = "${collector.url}"
headers = { Authorization = "Bearer ${TOKEN}\\n" }
${more}
[retry]
minTimeout = "1s"
[[resource]]
kind = "deployment"
[[handler]]
name = "diff"
[[handler]]
name = "webhook"
url = "${slack.url}"
[[branch]]
name = "audit"
[[branch.handler]]
name = "log"
`;
}

const web = (replicas: number) => {
  const { metadata, ...rest } = deployment('web', 'nginx', replicas);
  return { ...rest, metadata: { ...metadata, annotations: { note: MANIFEST_TEXT } } };
};

async function startWorld(answer: (n: number) => ReceiverAnswer = () => ({})): Promise<World> {
  const world = await World.start((_, n) => answer(n));
  world.server.create(web(1));
  return world;
}

/** The tree as lines, children below their parents in order of time. */
function treeOf(spans: readonly SpanJson[], parent?: SpanJson, indent = ''): readonly string[] {
  return spans
    .filter(({ parentSpanId }) => parentSpanId === parent?.spanId)
    .toSorted((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)))
    .flatMap((span) => {
      const { 'watchchain.verdict': verdict, 'watchchain.outcome': outcome } = valuesOf(span.attributes);
      return [`${indent}${span.name}: ${verdict ?? outcome}`, ...treeOf(spans, span, `${indent}  `)];
    });
}

const CHAIN = 'default: updated Deployment';

describe('tracing', () => {
  test('makes one trace of a change, with every chain, attempt and handler, and propagates it', async () => {
    await using world = await startWorld((n) => (n === 1 ? { status: 500 } : {}));
    await using collector = await startReceiver();
    const clock = new FakeClock();
    await using running = await world.run({ config: configWith(collector, world), clock });
    world.server.update(web(2));
    await world.slack.waitFor(1);
    await until('the second attempt', async () => {
      await clock.advance(1_000);
      // A request under way must not miss its deadline.
      await running.app.idle();
      return world.slack.requests.length === 2;
    });
    await running.app.idle();
    await until('the whole trace', async () => {
      await clock.advance(5_000);
      return spansAt(collector).length >= 10;
    });

    const spans = spansAt(collector);
    assert.deepEqual(treeOf(spans), [
      `${CHAIN}: completed`,
      '  attempt 1: failed',
      '    diff: pass',
      '    webhook: error',
      // Starts when the change was seen, like every chain.
      '  default/audit: updated Deployment: completed',
      '    attempt 1: completed',
      '      log: pass',
      '  attempt 2: completed',
      '    diff: pass',
      '    webhook: pass',
    ]);
    assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1);
    assert.ok(spans.every((span) => BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano)));
    const chain = spans.find(({ name }) => name === CHAIN);
    const failed = spans.find(({ name, parentSpanId }) => name === 'attempt 1' && parentSpanId === chain?.spanId);
    assert.equal(failed?.status.code, 2);
    assert.match(failed.status.message ?? '', /answered 500/);
    const passedOn = world.slack.requests.map(({ headers }) => headers['traceparent']);
    const told = spans.filter(({ name }) => name === 'webhook');
    assert.deepEqual(
      passedOn,
      told.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`),
    );
  });

  test('sends service and change attributes, and nothing of the manifest', async () => {
    await using world = await startWorld();
    await using collector = await startReceiver();
    const clock = new FakeClock();
    await using running = await world.run({ config: configWith(collector, world), clock });
    world.server.update(web(2));
    await world.slack.waitFor(1);
    await running.app.idle();
    await clock.advance(5_000);
    await collector.waitFor(1);
    const [request] = collector.requests;
    assert.deepEqual([request?.method, request?.path], ['POST', '/v1/traces']);
    assert.equal(request?.headers['content-type'], 'application/json');
    assert.equal(request.headers['authorization'], `Bearer ${TOKEN}`);
    assert.doesNotMatch(request.body, new RegExp(`${MANIFEST_TEXT}|nginx`));
    const [{ resource }] = (JSON.parse(request.body) as TracesJson).resourceSpans;
    assert.deepEqual(valuesOf(resource.attributes), {
      'service.name': 'watchchain',
      'service.version': VERSION,
      'k8s.cluster.name': 'embedded',
    });
    const { attributes = [] } = spansAt(collector).find(({ name }) => name === CHAIN) ?? {};
    assert.deepEqual(valuesOf(attributes), {
      'watchchain.chain': 'default',
      'watchchain.outcome': 'completed',
      'watchchain.change': '1',
      'watchchain.action': 'updated',
      'watchchain.resource': 'apps/v1/deployments',
      'watchchain.name': 'web',
      'k8s.namespace.name': 'default',
    });
  });

  test('holds up nothing when the collector is down, logs it once, and sends later what it kept', async () => {
    await using world = await startWorld();
    let answer: ReceiverAnswer = { status: 503, body: TOKEN };
    await using collector = await startReceiver(() => answer);
    const clock = new FakeClock();
    await using running = await world.run({ config: configWith(collector, world), clock });
    for (const replicas of [2, 3]) {
      world.server.update(web(replicas));
      await world.slack.waitFor(replicas - 1);
      await running.app.idle();
      await clock.advance(5_000);
      await collector.waitFor(replicas - 1);
    }
    answer = {};
    await until('the first change, too', async () => {
      await clock.advance(5_000);
      return spansAt(collector).filter(({ name }) => name === CHAIN).length > 3;
    });
    const log = running.serviceLog();
    assert.equal(log.split('Cannot send traces').length, 2);
    assert.match(log, /"problem":"tracing \(127\.0\.0\.1:\d+\) answered 503: \*\*\*"/);
    assert.doesNotMatch(log, new RegExp(TOKEN));
  });

  test('sends what is left at the stop, and honours ratio = 0', async () => {
    await using world = await startWorld();
    await using collector = await startReceiver();
    for (const [n, more] of ['ratio = 0', ''].entries()) {
      await using running = await world.run({ config: configWith(collector, world, more), clock: new FakeClock() });
      world.server.update(web(n + 2));
      await world.slack.waitFor(n + 1);
      await running.app.stop();
      assert.equal(spansAt(collector).filter(({ name }) => name === CHAIN).length, n);
    }
    assert.deepEqual(
      world.slack.requests.map(({ headers }) => 'traceparent' in headers),
      [false, true],
    );
  });

  test('repeats a request that the stop cuts short, without a warning', async () => {
    await using world = await startWorld();
    await using collector = await startReceiver((_, n) => ({ hang: n === 1 }));
    const clock = new FakeClock();
    await using running = await world.run({ config: configWith(collector, world), clock });
    world.server.update(web(2));
    await world.slack.waitFor(1);
    await running.app.idle();
    await clock.advance(5_000);
    await collector.waitFor(1);
    await running.app.stop();
    const [cut, whole] = collector.requests;
    assert.equal(whole?.body, cut?.body);
    assert.doesNotMatch(running.serviceLog(), /Cannot send traces/);
  });

  test('refuses invalid options', async () => {
    await using world = await startWorld();
    await using collector = await startReceiver();
    const wrong = configWith(collector, world, 'ratio = 2').replace(collector.url, 'collector:4318');
    await assert.rejects(world.run({ config: wrong }), ({ message }: Error) => {
      assert.match(message, /config\.toml:2: tracing\.endpoint: must be an https:\/\/ or http:\/\/ URL/);
      assert.match(message, /config\.toml:4: tracing\.ratio/);
      return true;
    });
  });
});
