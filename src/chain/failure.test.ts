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

  test('joins the messages of an error and its causes in one line', () => {
    assert.equal(
      said('cannot tell', 'the receiver closed', 'read ECONNRESET'),
      'cannot tell: the receiver closed: read ECONNRESET',
    );
  });

  test('strips credentials from URLs, and reduces http URLs to their host', () => {
    assert.equal(said('cannot reach amqp://app:hunter22@mq:5672/shop'), 'cannot reach amqp://mq:5672/shop');
    assert.equal(said('Invalid URL "https://app:hun@ter22@h.example/x?y=z"'), 'Invalid URL "https://h.example"');
  });

  test('repeats no message, and shows the first four of a long chain of causes', () => {
    assert.equal(said('cannot send: read ECONNRESET', 'read ECONNRESET'), 'cannot send: read ECONNRESET');
    assert.equal(said('a', 'b', 'c', 'd', 'e'), 'a: b: c: d');
  });

  test('shows only the text or message of a thrown value that is not an Error', () => {
    const said = (thrown: unknown) => new HandlerFailure('default/slack', thrown).message;
    assert.deepEqual(
      ['full', { message: 'full', token: 'secret' }, { token: 'secret' }, Object.create(null), undefined].map(said),
      ['full', 'full', 'an object that is not an Error', 'an object that is not an Error', 'undefined'],
    );
  });

  test('falls back to the class of an error without a message, and cuts at 1,000 characters, not inside one', () => {
    assert.equal(said(''), 'Error');
    assert.equal(said('x'.repeat(1_001)), `${'x'.repeat(1_000)}…`);
    assert.equal(said(`${'x'.repeat(999)}😀`), `${'x'.repeat(999)}…`);
  });
});
