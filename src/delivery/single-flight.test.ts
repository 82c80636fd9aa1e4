import assert from 'node:assert/strict';
import type { LookupFunction } from 'node:net';
import { describe, test } from 'node:test';
import { singleFlight } from './single-flight.ts';

type Answer = Parameters<LookupFunction>[2];

/** A resolver that answers when told to. */
function nameServer() {
  const asked: { readonly hostname: string; readonly answer: Answer }[] = [];
  const lookup = singleFlight((hostname, _options, answer) => asked.push({ hostname, answer }));
  const told: string[] = [];
  const ask = (hostname: string, all = false): void =>
    lookup(hostname, { all }, (error, address) => told.push(error?.message ?? JSON.stringify(address)));
  return { asked, told, ask };
}

describe('singleFlight()', () => {
  test('makes one lookup for concurrent callers of the same name, and answers each', () => {
    const { asked, told, ask } = nameServer();
    for (const name of ['a', 'a', 'b', 'a']) ask(name);
    ask('a', true);
    assert.deepEqual(
      asked.map(({ hostname }) => hostname),
      ['a', 'b', 'a'],
    );
    asked[0]?.answer(null, '10.0.0.1', 4);
    assert.deepEqual(told, ['"10.0.0.1"', '"10.0.0.1"', '"10.0.0.1"']);
  });

  test('caches neither answers nor errors', () => {
    const { asked, told, ask } = nameServer();
    ask('a');
    asked[0]?.answer(new Error('no such name'), '');
    ask('a');
    asked[1]?.answer(null, '10.0.0.2', 4);
    assert.deepEqual(told, ['no such name', '"10.0.0.2"']);
  });
});
