/** Rows 47 and 48: too many changes at once to send singly. The final state is right, memory bounded, no object named twice. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Manifest } from '../../src/change.ts';
import type { CapturedRequest } from '../../src/testing/receiver.ts';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import type { Program } from '../e2e/program.ts';
import { withStore } from './balance.ts';
import { LONG } from './needs.ts';
import { Service } from './service.ts';
import { until } from '../until.ts';

const DELETED = LONG ? 10_000 : 3_000;
const OBJECTS = 5_000;
const SECONDS = LONG ? 10 : 2;
const PER_SECOND = 50_000;
const MAX_RSS_MB = 400;
const PATIENCE_MS = 240_000;

/** A ConfigMap of 1 KB. */
function configMap(n: number, turn: number): Manifest {
  const metadata = { name: `object-${n}`, namespace: 'default', uid: `uid-${n}` };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { turn: String(turn), more: 'x'.repeat(800) } };
}

async function stormService(objects: number): Promise<Service> {
  const service = await Service.make(0);
  const config = kwatchmanConfig(service.slack.url, ['configmap']).replace('[[handler]]\nname = "log"\n', '');
  await service.workdir.write('config.toml', config.replace('messagesPerSecond = 0', 'messagesPerSecond = 5'));
  service.server.putAll(Array.from({ length: objects }, (_, n) => configMap(n, 0)));
  return service;
}

/** The peak memory of the process, in MB. */
async function peakMb({ pid }: Program): Promise<number> {
  const [, kb] = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? assert.fail('no VmHWM');
  return Math.round(Number(kb) / 1024);
}

/** The objects that the messages name. */
const named = (requests: readonly CapturedRequest[]): string[] =>
  requests.flatMap(({ body }) => [...new Set(body.match(/object-\d+/g) ?? [])]);

const pending = (service: Service): Promise<number> =>
  withStore(service.state, async (store) => (await store.balances())[0]?.pending ?? 0);

/** Asserts that the baseline equals the cluster. */
async function assertSameAs(service: Service, turn: number): Promise<void> {
  await withStore(service.state, async (store) => {
    const [scope] = await store.scopes();
    assert.equal(scope?.objects, OBJECTS);
    for (let n = 0; n < OBJECTS; n += 97) {
      const body = await store.baseline('', 'configmaps', `default/object-${n}`);
      const { data } = JSON.parse(Buffer.from(body ?? []).toString()) as { data: { turn: string } };
      assert.equal(data.turn, String(turn), `object-${n}`);
    }
  });
}

describe('a storm', () => {
  test(`47 of ${DELETED} deletions at once: each object is named in exactly one message, and they are few`, async (t) => {
    await using service = await stormService(DELETED);
    await using program = service.start();
    await program.ready();
    for (let n = 0; n < DELETED; n++) service.server.delete('ConfigMap', `object-${n}`, 'default');
    await until('everybody to be named', () => named(service.slack.requests).length >= DELETED, PATIENCE_MS);
    await until('the end', async () => (await pending(service)) === 0, PATIENCE_MS);
    const names = named(service.slack.requests);
    assert.equal(names.length, DELETED);
    assert.equal(new Set(names).size, DELETED);
    const peak = await peakMb(program);
    t.diagnostic(`${service.slack.requests.length} messages, ${peak} MB at most`);
    assert.ok(service.slack.requests.length <= DELETED / 20, `${service.slack.requests.length} messages`);
    assert.ok(peak <= MAX_RSS_MB, `${peak} MB`);
    assert.equal((await program.stop()).code, 0);
    await service.assertBalanced();
  });

  test(`48 of ${PER_SECOND} events a second for ${SECONDS} s: the state is right in the end, memory is bounded`, async (t) => {
    await using service = await stormService(OBJECTS);
    await using program = service.start();
    await program.ready();
    const turns = (SECONDS * PER_SECOND) / OBJECTS;
    const beganAt = performance.now();
    for (let turn = 1; turn <= turns; turn++) {
      service.server.putAll(Array.from({ length: OBJECTS }, (_, n) => configMap(n, turn)));
      await delay(Math.max(0, beganAt + (turn * 1_000 * OBJECTS) / PER_SECOND - performance.now()));
    }
    const tookS = (performance.now() - beganAt) / 1_000;
    await until(
      'the last event',
      async () =>
        withStore(
          service.state,
          async (store) => (await store.scopes())[0]?.cursor === String(service.server.resourceVersion),
        ),
      PATIENCE_MS,
    );
    await assertSameAs(service, turns);
    await until('everything to be told', async () => (await pending(service)) === 0, PATIENCE_MS);
    const peak = await peakMb(program);
    const [balance] = await withStore(service.state, (store) => store.balances());
    t.diagnostic(
      `${Math.round((turns * OBJECTS) / tookS)} events/s for ${tookS.toFixed(1)} s, ${balance?.accepted} accepted, ${balance?.superseded} merged, ${service.slack.requests.length} messages, ${peak} MB at most`,
    );
    assert.ok(peak <= MAX_RSS_MB, `${peak} MB`);
    assert.equal((await program.stop()).code, 0);
    assert.equal(new Set(named(service.slack.requests)).size, OBJECTS);
    await service.assertBalanced();
  });
});
