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
  test(`readWatchEvents() reads a recording in ${what}`, () => {
    assert.deepEqual(
      readWatchEvents(bytes, 'events.json').map(({ type, key }) => [type, key]),
      [['ADDED', 'shop/grün']],
    );
  });

for (const [what, text] of [
  [
    'objects, as without --output-watch-events',
    '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}',
  ],
  ['a list of them', '{"apiVersion": "v1", "kind": "List", "items": []}'],
  ['null', 'null'],
] as const)
  test(`readWatchEvents() refuses what is not a recording, naming the remedy: ${what}`, () => {
    assert.throws(() => readWatchEvents(Buffer.from(text), 'events.json'), {
      message: /^events\.json, event 1: the type is undefined; expected .* with --output-watch-events$/,
    });
  });

for (const [field, value] of [
  ['apiVersion', 1],
  ['kind', {}],
  ['metadata', { ...metadata, name: 7 }],
  ['metadata', { ...metadata, uid: 7 }],
  ['metadata', 'web'],
] as const)
  test(`readWatchEvents() refuses an object with ${field} ${JSON.stringify(value)}`, () => {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, [field]: value };
    assert.throws(() => readWatchEvents(Buffer.from(JSON.stringify({ type: 'ADDED', object })), 'events.json'), {
      message: /^events\.json, event 1: .* is missing or not a string; expected /,
    });
  });
