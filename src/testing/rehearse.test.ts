import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { defineSink, defineStateful, defineTransform, halt, type HandlerContext } from '../chain/handler.ts';
import type { Receiver } from '../delivery/receiver.ts';
import webhook from '../../handlers/webhook/index.ts';
import slack from '../../handlers/slack/index.ts';
import { changeOf } from './change.ts';
import { rehearse } from './rehearse.ts';

const manifest = (name: string, data: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'shop', uid: name, resourceVersion: data },
  data: { data },
});
const described = { summary: 's', description: 'd', examples: [] };

describe('rehearse()', () => {
  test('runs a plain function on a recording, with `before` of each object', async () => {
    const events = [
      { type: 'ADDED', object: manifest('a', '1') },
      { type: 'MODIFIED', object: manifest('a', '2') },
      { type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } },
      { type: 'DELETED', object: manifest('a', '2') },
    ];
    const text = events.map((event) => JSON.stringify(event)).join('\n');
    const { changes } = await rehearse((change) => (change.action === 'deleted' ? halt('gone') : undefined), {
      changes: text,
    });
    assert.deepEqual(
      changes.map(({ change, verdict, reason }) => [change.action, change.before?.['data'], verdict, reason]),
      [
        ['added', undefined, 'pass', undefined],
        ['updated', { data: '1' }, 'pass', undefined],
        ['deleted', { data: '2' }, 'halt', 'gone'],
      ],
    );
  });

  test('keeps the state of a stateful handler by key, and returns its wake-ups', async () => {
    const counter = defineStateful<z.ZodObject, number>({
      ...described,
      name: 'counter',
      options: z.strictObject({}),
      create: () => ({
        handle(change, { state = 0, now, wakeAt }) {
          wakeAt(change.key, now + 1_000);
          return { verdict: halt(`number ${state + 1}`), state: state + 1 };
        },
      }),
    });
    const of = (name: string) => changeOf({ after: manifest(name, '1') });
    const woken = changeOf({ after: manifest('a', '1'), timer: true });
    assert.deepEqual([woken.action, woken.key, woken.after], ['timer', 'shop/a', undefined]);
    const { changes } = await rehearse(counter, { changes: [of('a'), of('b'), woken] });
    assert.deepEqual(
      changes.map(({ reason, wakeUps }) => [reason, [...wakeUps.keys()]]),
      [
        ['number 1', ['shop/a']],
        ['number 1', ['shop/b']],
        ['number 2', ['shop/a']],
      ],
    );
  });

  test('gives a wake-up the state of its group, without calling group()', async () => {
    const counter = defineStateful<z.ZodObject, number>({
      ...described,
      name: 'counter',
      options: z.strictObject({}),
      create: () => ({
        group: ({ after }) => after?.metadata.namespace ?? halt('nowhere'),
        handle(change, { state = 0, now, wakeAt }) {
          wakeAt(change.key, now + 1_000);
          return { verdict: halt(`number ${state + 1}`), state: state + 1 };
        },
      }),
    });
    const of = (name: string, timer = false) => changeOf({ after: manifest(name, '1'), timer });
    const { changes } = await rehearse(counter, { changes: [of('a'), of('b'), of('b', true)] });
    assert.deepEqual(
      changes.map(({ reason }) => reason),
      ['number 1', 'number 2', 'number 3'],
    );
  });

  test('fails a delivery as the service would, also through receiver.fetch() or by accept()', async () => {
    const headers = { 'x-team': 'shop' };
    const accept = ({ body }: { readonly body: string }) => {
      if (body === 'no') throw new Error('it said no');
    };
    type Way = (receiver: Receiver, context: HandlerContext) => Promise<unknown>;
    const told = async (way: Way, answer: { readonly status?: number; readonly body?: string }) => {
      const definition = defineSink({
        ...described,
        name: 'own',
        options: z.strictObject({}),
        create(_, { receivers }) {
          const receiver = receivers.receiver({ name: 'own', url: new URL('https://hooks.example/x'), accept });
          return { deliver: async (_change, context) => void (await way(receiver, context)) };
        },
      });
      const { changes } = await rehearse(definition, {
        changes: [changeOf({ after: manifest('a', '1') })],
        respond: () => answer,
      });
      const [{ verdict, reason, sent } = assert.fail('nothing was rehearsed')] = changes;
      return [verdict, reason, sent[0]?.headers];
    };
    const ways: readonly Way[] = [
      (receiver, { idempotencyKey, signal }) => receiver.send({ headers, body: 'x', idempotencyKey, signal }),
      (receiver, { idempotencyKey, signal }) =>
        receiver.fetch(idempotencyKey, signal)('https://hooks.example/x', { method: 'POST', headers, body: 'x' }),
    ];
    for (const way of ways) {
      assert.deepEqual(await told(way, { status: 204 }), ['pass', undefined, headers]);
      assert.deepEqual(await told(way, { status: 500 }), ['error', 'the receiver answered 500', headers]);
      assert.deepEqual(await told(way, { body: 'no' }), ['error', 'it said no', headers]);
    }
  });

  test(
    'drains what a sink writes to stdout, so that the sink can wait for the write',
    { timeout: 20_000 },
    async () => {
      const definition = defineSink({
        ...described,
        name: 'own',
        options: z.strictObject({}),
        create: (_, { stdout }) => ({
          deliver: () => new Promise<void>((resolve) => void stdout.write('x'.repeat(100_000), () => resolve())),
        }),
      });
      const given = [changeOf({ after: manifest('a', '1') }), changeOf({ after: manifest('b', '1') })];
      const { changes } = await rehearse(definition, { changes: given });
      assert.deepEqual(
        changes.map(({ verdict }) => verdict),
        ['pass', 'pass'],
      );
    },
  );

  test('records what a sink sends, and answers as configured', async () => {
    const given = {
      options: { url: 'https://hooks.example/x', layout: { text: '{{ change.key }}' } },
      changes: [changeOf({ after: manifest('a', '1') }), changeOf({ after: manifest('b', '1') })],
    };
    const { changes } = await rehearse(webhook, {
      ...given,
      respond: ({ body }) => ({ status: body.includes('b') ? 500 : 204 }),
    });
    assert.deepEqual(
      changes.map(({ verdict, sent }) => [verdict, sent.map(({ method, url, body }) => `${method} ${url} ${body}`)]),
      [
        ['pass', ['POST https://hooks.example/x {"text":"shop/a"}']],
        ['error', ['POST https://hooks.example/x {"text":"shop/b"}']],
      ],
    );
  });

  test('runs a sink that has a client library of its own', async () => {
    const { changes } = await rehearse(slack, {
      options: { webhookURL: 'https://hooks.slack.com/services/T/B/x', clusterName: 'test' },
      changes: [changeOf({ after: manifest('a', '1') })],
      respond: () => ({ body: 'ok' }),
    });
    assert.equal(changes[0]?.sent.length, 1, changes[0]?.reason);
  });

  test('validates options, starts and stops the handler, and returns its log', async () => {
    const life: string[] = [];
    const definition = defineTransform({
      ...described,
      name: 'own',
      options: z.strictObject({ level: z.int() }),
      create: (_, { log }) => ({
        start: async () => void life.push('start'),
        stop: async () => void life.push('stop'),
        handle(change) {
          log.info('It was seen');
          return Object.assign(change, { key: 'mutated' });
        },
      }),
    });
    const changes = [changeOf({ after: manifest('a', '1') })];
    await assert.rejects(rehearse(definition, { changes, options: { level: 'x' } }), /own: level: must be a/);
    const done = await rehearse(definition, { changes, options: { level: 1 } });
    assert.deepEqual([done.changes[0]?.verdict, life], ['error', ['start', 'stop']]);
    assert.deepEqual(done.logged, [{ level: 'info', message: 'It was seen' }]);
  });
});
