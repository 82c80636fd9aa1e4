import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '../change.ts';
import { withParts } from '../change/lazy-change.ts';
import { boom, countOf, recording, sink, startTestChain, transform } from '../testing/test-chain.ts';
import { halt, type HandlerDefinition } from './handler.ts';
import { handlerOfFunction } from './handler-function.ts';

describe('chain runner: order and verdicts', () => {
  test('21: runs handlers strictly in config order, each seeing what the one before passed', async (t) => {
    const order: string[] = [];
    const passing = (name: string): HandlerDefinition =>
      transform(name, (change) => {
        order.push(`${name} sees ${change.key}`);
        return withParts(change, { key: `${change.key}>${name}` });
      });
    const delivered: Change[] = [];
    const chain = await startTestChain(t, { handlers: [passing('a'), passing('b'), recording('c', delivered)] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    assert.deepEqual(order, ['a sees shop/web', 'b sees shop/web>a']);
    assert.equal(delivered[0]?.key, 'shop/web>a>b');
    assert.equal(await countOf(chain.metrics, 'ends_total', { end: 'completed' }), 1);
  });

  test('20: a halt stops the rest without error or retry, and the log names handler and reason', async (t) => {
    const delivered: Change[] = [];
    const stopping = transform('stopping', () => halt('not today'));
    const chain = await startTestChain(t, { handlers: [stopping, recording('last', delivered)] });
    await chain.accept('shop/web');
    await chain.advance(60_000);
    assert.equal(delivered.length, 0);
    assert.equal(await countOf(chain.metrics, 'attempts_total', {}), 1);
    assert.deepEqual(
      chain.logged.filter(({ level }) => level !== 'debug'),
      [],
    );
    const entry = chain.logged.find(({ message }) => message === 'Change halted');
    assert.equal(entry?.['by'], 'default/stopping');
    assert.equal(entry?.['reason'], 'not today');
    const [balance] = await chain.store.balances();
    assert.equal(balance?.halted, 1);
    assert.equal(balance?.pending, 0);
  });

  test('20: an error is logged with handler and key, and of a URL only its host', async (t) => {
    const failing = recording('failing', [], () => boom('POST https://hooks.slack.com/services/T0/B0/secret failed'));
    const chain = await startTestChain(t, { handlers: [failing] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    const entry = chain.logged.find(({ level }) => level === 'warn');
    assert.equal(entry?.['handler'], 'default/failing');
    assert.equal(entry?.['key'], 'shop/web');
    assert.equal(entry?.['error'], 'POST https://hooks.slack.com failed');
  });

  test('a transform that returns nothing fails with the likely cause; a plain function may return nothing', async (t) => {
    const forgetful = transform('forgetful', () => undefined as unknown as Change);
    const chain = await startTestChain(t, { handlers: [forgetful] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    assert.match(String(chain.logged.find(({ level }) => level === 'warn')?.['error']), /missing return or await/);

    const plain = handlerOfFunction('plain', () => undefined);
    const delivered: Change[] = [];
    const other = await startTestChain(t, { handlers: [plain, recording('last', delivered)] });
    await other.accept('shop/web');
    await other.runner.idle();
    assert.equal(delivered.length, 1);
  });

  test('a plain function gets its own log, signal and key, and its options', async (t) => {
    const plain = handlerOfFunction('plain', (_change, { log, signal, idempotencyKey, options }) => {
      log.info('Called', { isAborted: signal.aborted, idempotencyKey, options });
    });
    const chain = await startTestChain(t, { handlers: [plain] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    const called = chain.logged.find(({ message }) => message === 'Called');
    assert.equal(called?.['isAborted'], false);
    assert.deepEqual([called['handler'], called['key'], called['options']], ['default/plain', 'shop/web', {}]);
    assert.match(String(called['idempotencyKey']), /\|default\/plain$/);
  });

  test('a handler that mutates a change fails, because changes are frozen in tests', async (t) => {
    const mutating = transform('mutating', (change) => Object.assign(change.after ?? {}, { spec: 1 }) as never);
    const chain = await startTestChain(t, { handlers: [mutating] });
    await chain.accept('shop/web');
    await chain.runner.idle();
    assert.match(String(chain.logged.find(({ level }) => level === 'warn')?.['error']), /not extensible/);
  });
});

test('chain runner: the start fails naming a handler that cannot be created', async (t) => {
  const broken: HandlerDefinition = {
    ...sink('broken', () => Promise.resolve()),
    type: 'sink',
    create: () => {
      throw new Error('no such zone');
    },
  };
  await assert.rejects(startTestChain(t, { handlers: [broken] }), {
    message: 'Handler default/broken (test) cannot be used: no such zone',
  });
});
