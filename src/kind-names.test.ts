import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluralOf } from './kind-names.ts';
import { BUILT_IN_KINDS } from './source/built-in-kinds.ts';

test('pluralOf() guesses the resource of every built-in kind', () => {
  for (const { kind, resource } of BUILT_IN_KINDS) assert.equal(pluralOf(kind), resource);
});
