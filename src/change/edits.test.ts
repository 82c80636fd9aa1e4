import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redactEdits } from './edits.ts';
import { createRedactor } from '../source/redact.ts';

const CONFIG_MAP = { group: '', kind: 'ConfigMap', resource: 'configmaps', singular: 'configmap', shortNames: ['cm'] };
const redact = createRedactor(
  { envNames: [], paths: [{ kind: 'cm', path: 'data.licence' }] },
  new Uint8Array(32),
).forKind(CONFIG_MAP);

const bodyOf = (data: object): Buffer => Buffer.from(JSON.stringify({ metadata: { name: 'settings' }, data }));

test('redactEdits() returns the same text if nothing is to be hidden', () => {
  const edits = '{"after":{"metadata":{"name":"settings"},"data":{"n":12345678901234567890}},"notes":{"diff":"n"}}';
  assert.equal(redactEdits(edits, [bodyOf({ n: 1 })], redact), edits);
});

test('redactEdits() hides what a rule names in an edited manifest, and drops the notes', () => {
  const edits = `{"before":null,"after":${bodyOf({ licence: 'canary', n: '12345678901234567890' }).toString()},"notes":{"diff":"canary"}}`;
  const redacted = redactEdits(edits, [], redact);
  assert.match(
    redacted,
    /^\{"before":null,"after":\{.*"licence":"redacted:hmac-\w+","n":"12345678901234567890"\}\}\}$/,
  );
  assert.equal(redactEdits(redacted, [], redact), redacted, 'once more changes nothing');
});

test('redactEdits() drops the notes if something is hidden in a manifest that was not edited', () => {
  assert.equal(redactEdits('{"notes":{"diff":"canary"}}', [bodyOf({ licence: 'canary' })], redact), '{}');
});
