import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readWatchEvents } from './watch-events.ts';

const metadata = { name: 'grün', namespace: 'shop', uid: 'u', resourceVersion: '1' };
const recording = JSON.stringify({ type: 'ADDED', object: { apiVersion: 'v1', kind: 'ConfigMap', metadata } });

for (const [what, bytes] of [
  ['UTF-8', Buffer.from(recording)],
  ['UTF-8 with a byte order mark', Buffer.from(`\uFEFF${recording}`)],
  ["UTF-16, as PowerShell's > writes it", Buffer.from(`\uFEFF${recording}`, 'utf16le')],
] as const)
  test(`a recording is read in ${what}`, () => {
    assert.deepEqual(
      readWatchEvents(bytes, 'events.json').map(({ type, key }) => [type, key]),
      [['ADDED', 'shop/grün']],
    );
  });
