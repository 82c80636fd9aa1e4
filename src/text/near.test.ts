import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { didYouMean, nearNames } from './near.ts';

describe('nearNames()', () => {
  const names = ['slack', 'log', 'diff', 'match', 'ignoreEvents'];
  test('returns near names, nearest first, ignoring case', () => {
    assert.deepEqual(nearNames('IGNOREEVENT', names), ['ignoreEvents']);
    assert.deepEqual(nearNames('dif', ['dig', 'diff', 'diff']), ['diff', 'dig']);
  });
  test('counts a swap of neighbours as one edit, and allows an edit for every three letters', () => {
    assert.deepEqual(nearNames('salck', ['slack', 'slacks']), ['slack']);
    assert.deepEqual(nearNames('kitten', ['mitten', 'sitten', 'sittin', 'sitting']), ['mitten', 'sitten', 'sittin']);
  });
  test('returns nothing when no name is near', () => assert.deepEqual(nearNames('webhook', names), []));
});

describe('didYouMean()', () => {
  test('suggests the nearest name, or returns an empty string', () => {
    assert.equal(didYouMean('slak', ['slack', 'log']), '; did you mean "slack"?');
    assert.equal(didYouMean('webhook', ['slack', 'log']), '');
  });
});
