import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeOf } from '../../src/testing/change.ts';
import { digestOf } from './digest.ts';

test('a digest names Kubernetes Events by what they say, not by their names', () => {
  const events = Array.from({ length: 11 }, (_, n) => {
    const metadata = { name: `web.17f3${n}`, namespace: 'shop' };
    return changeOf({ after: { apiVersion: 'v1', kind: 'Event', metadata, reason: `R${n}`, message: 'm' } });
  });
  const { text = '' } = digestOf(events, { contentOf: () => ({}), mentionsOf: () => [] }, 'eu-2');
  assert.match(text, /^\*11 changes\* in eu-2\n\*ADD event\* · shop · 11\n```R0: m\nR1: m\n/);
});
