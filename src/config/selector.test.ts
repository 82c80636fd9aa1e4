import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fieldSelector, labelSelector } from './selector.ts';

describe('labelSelector', () => {
  for (const text of [
    'tier=web',
    'a == b , c!=d',
    'env in (prod, stage),!canary',
    'app.kubernetes.io/name notin (x)',
    'exists',
    'empty=',
    'size>5',
    `a.example/${'x'.repeat(63)}=${'X'.repeat(63)}`,
  ]) {
    test(`accepts ${text}`, () => assert.ok(labelSelector.safeParse(text).success));
  }
  for (const text of [
    '',
    'a in (b',
    'a=b=c',
    'a=b,',
    '=b',
    'a in b',
    'a=-b',
    'a b',
    'Example.com/a',
    'a_b.c/d',
    `a=${'x'.repeat(64)}`,
  ]) {
    test(`refuses ${JSON.stringify(text)}`, () => assert.ok(!labelSelector.safeParse(text).success));
  }
});

describe('fieldSelector', () => {
  for (const text of [
    'status.phase=Running',
    'metadata.name!=a,spec.nodeName==b',
    String.raw`reason=a\,b`,
    'spec.nodeName=',
  ]) {
    test(`accepts ${text}`, () => assert.ok(fieldSelector.safeParse(text).success));
  }
  for (const text of ['', 'status.phase', 'a=b=c', 'a in (b)']) {
    test(`refuses ${JSON.stringify(text)}`, () => assert.ok(!fieldSelector.safeParse(text).success));
  }
});
