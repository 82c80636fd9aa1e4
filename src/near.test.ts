import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { didYouMean, editDistance, nearNames } from './near.ts';

describe('editDistance()', () => {
  for (const [a, b, distance] of [
    ['', 'abc', 3],
    ['slack', 'slack', 0],
    ['slak', 'slack', 1],
    ['salck', 'slack', 1],
    ['kitten', 'sitting', 3],
  ] as const) {
    test(`is ${distance} from "${a}" to "${b}"`, () => assert.equal(editDistance(a, b), distance));
  }
});

describe('nearNames()', () => {
  const names = ['slack', 'log', 'diff', 'match', 'ignoreEvents'];
  test('gives what is near, nearest first, whatever the case', () => {
    assert.deepEqual(nearNames('IGNOREEVENT', names), ['ignoreEvents']);
    assert.deepEqual(nearNames('dif', ['dig', 'diff', 'diff']), ['diff', 'dig']);
  });
  test('gives nothing rather than something far', () => assert.deepEqual(nearNames('webhook', names), []));
});

describe('didYouMean()', () => {
  test('asks, or says nothing', () => {
    assert.equal(didYouMean('slak', ['slack', 'log']), '; did you mean "slack"?');
    assert.equal(didYouMean('webhook', ['slack', 'log']), '');
  });
});
