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
  test('returns near names, nearest first, ignoring case', () => {
    assert.deepEqual(nearNames('IGNOREEVENT', names), ['ignoreEvents']);
    assert.deepEqual(nearNames('dif', ['dig', 'diff', 'diff']), ['diff', 'dig']);
  });
  test('returns nothing when no name is near', () => assert.deepEqual(nearNames('webhook', names), []));
});

describe('didYouMean()', () => {
  test('suggests the nearest name, or returns an empty string', () => {
    assert.equal(didYouMean('slak', ['slack', 'log']), '; did you mean "slack"?');
    assert.equal(didYouMean('webhook', ['slack', 'log']), '');
  });
});
