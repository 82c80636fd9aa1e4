import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HandlerFailure } from './failure.ts';

describe('HandlerFailure', () => {
  const said = (...messages: readonly string[]) => {
    const chained = messages.reduceRight<Error | undefined>(
      (cause, message) => new Error(message, { cause }),
      undefined,
    );
    return new HandlerFailure('default/slack', chained).message;
  };

  test('says what was thrown and why, in one line', () => {
    assert.equal(
      said('cannot tell', 'the receiver closed', 'read ECONNRESET'),
      'cannot tell: the receiver closed: read ECONNRESET',
    );
  });

  test('says of URLs no credentials, and of those of the web only the host', () => {
    assert.equal(said('cannot reach amqp://app:hunter22@mq:5672/shop'), 'cannot reach amqp://mq:5672/shop');
    assert.equal(said('Invalid URL "https://app:hun@ter22@h.example/x?y=z"'), 'Invalid URL "https://h.example"');
  });

  test('says nothing twice, and of a long row of causes the first four', () => {
    assert.equal(said('cannot send: read ECONNRESET', 'read ECONNRESET'), 'cannot send: read ECONNRESET');
    assert.equal(said('a', 'b', 'c', 'd', 'e'), 'a: b: c: d');
  });

  test('says of what is no Error its text or message, and nothing else that it holds', () => {
    const said = (thrown: unknown) => new HandlerFailure('default/slack', thrown).message;
    assert.deepEqual(
      ['full', { message: 'full', token: 'secret' }, { token: 'secret' }, Object.create(null), undefined].map(said),
      ['full', 'full', 'an object that is not an Error', 'an object that is not an Error', 'undefined'],
    );
  });

  test('is named by what was thrown when that says nothing, and cut at 1,000 characters, not within one', () => {
    assert.equal(said(''), 'Error');
    assert.equal(said('x'.repeat(1_001)), `${'x'.repeat(1_000)}…`);
    assert.equal(said(`${'x'.repeat(999)}😀`), `${'x'.repeat(999)}…`);
  });
});
