import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import jsonPatch from 'fast-json-patch';
import type { Json, JsonObject } from '../../src/json.ts';
import { diffFields, type FieldRules } from './fields.ts';
import { compileMask, KEEP } from './mask.ts';
import { normalize, patchOf } from './patch.ts';
import { parseFieldPath } from '../../src/field-path.ts';

/** Mulberry32: small, and the same numbers for the same seed on every machine. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Random = ReturnType<typeof randomFrom>;

const KEYS = ['a', 'b', 'name', 'x/y~z', 'containers', 'args', 'labels', 'constructor', 'ports'];

function anyJson(random: Random, depth: number): Json {
  const kind = random(depth > 3 ? 4 : 8);
  if (kind < 4) return [random(3), `s${random(4)}`, random(2) === 0, null][kind] as Json;
  if (kind === 4) return Array.from({ length: random(5) }, () => anyJson(random, depth + 1));
  if (kind === 5) return someItems(random, depth);
  return anyMap(random, depth);
}

function anyMap(random: Random, depth: number): JsonObject {
  const entries = Array.from(
    { length: random(5) },
    () => [KEYS[random(KEYS.length)], anyJson(random, depth + 1)] as const,
  );
  return Object.fromEntries(entries);
}

/** Items with unique names, in any order. */
function someItems(random: Random, depth: number): Json {
  const names = ['p', 'q', 'r', 's'].filter(() => random(3) > 0).sort(() => random(3) - 1);
  return names.map((name) => ({ name, value: anyJson(random, depth + 2) }));
}

/** Mostly the same with a few differences, like an update. */
function altered(value: Json, random: Random): Json {
  if (random(8) === 0) return anyJson(random, 2);
  if (Array.isArray(value)) {
    const items = value.filter(() => random(6) > 0).map((item: Json) => altered(item, random));
    return random(4) === 0 ? items.toReversed() : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, altered(field ?? null, random)]));
}

const masks = {
  everything: KEEP,
  'without some fields': compileMask(['spec.a', '**.b', 'metadata.labels'].map(parseFieldPath)),
  'only some fields': compileMask([['spec', 'b']], ['spec', 'metadata.labels.a'].map(parseFieldPath)),
} as const;

/** As it would arrive over a network: ordinary, mutable objects. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe('diffFields() and patchOf(), for any two objects,', () => {
  for (const [what, mask] of Object.entries(masks)) {
    const rules: FieldRules = { mask, nulls: false, emptyMetadata: false };
    const cases = Array.from({ length: 400 }, (_, seed) => {
      const random = randomFrom(seed);
      const before: JsonObject = { metadata: anyMap(random, 1), spec: anyMap(random, 0) };
      const after = {
        metadata: altered(before['metadata'] ?? {}, random),
        spec: altered(before['spec'] ?? {}, random),
      };
      return { seed, before, after };
    });

    test(`${what}: the patch turns the cleaned old object into the cleaned new object`, () => {
      for (const { seed, before, after } of cases) {
        const start = plain(normalize(before, rules)) as object;
        const patch = plain(patchOf(before, after, rules)) as jsonPatch.Operation[];
        const end = jsonPatch.applyPatch(start, patch, true, true, false).newDocument;
        assert.deepEqual(end, plain(normalize(after, rules)), `seed ${seed}`);
      }
    });

    test(`${what}: no difference from a copy, and none where the patch is empty`, () => {
      for (const { seed, before, after } of cases) {
        assert.deepEqual(diffFields(before, structuredClone(before), rules), [], `seed ${seed}`);
        assert.deepEqual(patchOf(before, structuredClone(before), rules), [], `seed ${seed}`);
        if (patchOf(before, after, rules).length === 0)
          assert.deepEqual(diffFields(before, after, rules), [], `seed ${seed}`);
        else if (mask === KEEP) assert.notDeepEqual(diffFields(before, after, rules), [], `seed ${seed}`);
      }
    });
  }

  test('a reordered keyed list is one line', () => {
    const rules: FieldRules = { mask: KEEP, nulls: false, emptyMetadata: false };
    for (let seed = 0; seed < 200; seed++) {
      const random = randomFrom(seed);
      const items = Array.from({ length: 2 + random(5) }, (_, n) => ({ name: `n${n}`, value: anyJson(random, 2) }));
      const turn = 1 + random(items.length - 1);
      const turned = [...items.slice(turn), ...items.slice(0, turn)];
      const found = diffFields({ spec: { containers: items } }, { spec: { containers: turned } }, rules);
      assert.deepEqual(
        found.map(({ op, path }) => `${op} ${path}`),
        ['reorder spec.containers'],
        `seed ${seed}`,
      );
    }
  });

  test('nested lists are not printed in full once per level', () => {
    const rules: FieldRules = { mask: KEEP, nulls: false, emptyMetadata: false };
    let printed = 0;
    const leaf = {
      get text() {
        printed++;
        return 'x';
      },
    };
    const nested = (mark: string) => {
      let value: Json = [leaf];
      for (let level = 0; level < 150; level++) value = [`${mark.repeat(100)}${level}`, value];
      return { spec: value };
    };
    assert.equal(diffFields(nested('a'), nested('b'), rules).length, 150);
    assert.equal(patchOf(nested('a'), nested('b'), rules).length, 150);
    // 30 levels per side, after a check of the depth; once per level would be 300.
    assert.ok(printed < 200, `${printed} times`);
  });

  test('leave Object.prototype alone', () => {
    assert.deepEqual(Object.keys(Object.prototype), []);
  });
});
