import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Turns } from './turns.ts';

/** Work that finishes when the test says so. */
function jobs(turns: Turns, names: readonly string[], signal = new AbortController().signal) {
  const running = new Map<string, () => void>();
  const results = names.map((name) =>
    turns.run(async () => {
      await new Promise<void>((resolve) => running.set(name, resolve));
      running.delete(name);
      return name;
    }, signal),
  );
  return { running, results };
}

describe('Turns', () => {
  test('runs a limited number at once, and the others in order', async () => {
    const { running, results } = jobs(new Turns(2), ['a', 'b', 'c', 'd']);
    await Promise.resolve();
    assert.deepEqual([...running.keys()], ['a', 'b']);
    for (const name of ['b', 'a', 'c', 'd']) {
      running.get(name)?.();
      await results[['a', 'b', 'c', 'd'].indexOf(name)];
      await new Promise(setImmediate);
    }
    assert.deepEqual(await Promise.all(results), ['a', 'b', 'c', 'd']);
  });

  test('removes an aborted job from the queue without taking a turn from another', async () => {
    const turns = new Turns(1);
    const stop = new AbortController();
    const first = jobs(turns, ['first']);
    const aborted = jobs(turns, ['aborted'], stop.signal);
    const last = jobs(turns, ['last']);
    stop.abort(new Error('enough'));
    await assert.rejects(Promise.all(aborted.results), /enough/);
    first.running.get('first')?.();
    await Promise.all(first.results);
    await new Promise(setImmediate);
    last.running.get('last')?.();
    assert.deepEqual(await Promise.all(last.results), ['last']);
  });

  test('frees the place of a failed job', async () => {
    const turns = new Turns(1);
    const { signal } = new AbortController();
    await assert.rejects(
      turns.run(() => Promise.reject(new Error('no')), signal),
      /no/,
    );
    assert.equal(await turns.run(() => Promise.resolve('yes'), signal), 'yes');
  });
});
