/** values.schema.json, values.yaml and the program agree. Rendering by helm is tested in test/cluster. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parse } from 'yaml';
import { READ_ONCE } from '../src/config/config.ts';
import { LOG_LEVELS } from '../src/log.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly enum?: readonly string[];
}

const read = (file: string) => readFile(new URL(`../chart/${file}`, import.meta.url), 'utf8');
const schema = JSON.parse(await read('values.schema.json')) as Schema;
const values = parse(await read('values.yaml')) as object;

/** Paths of everything that the schema names, down to objects that allow any key. */
function named({ properties = {}, additionalProperties }: Schema, path = ''): readonly string[] {
  if (additionalProperties !== false) return [path];
  return Object.entries(properties).flatMap(([key, inner]) => named(inner, `${path}/${key}`));
}

function given(value: unknown, known: ReadonlySet<string>, path = ''): readonly string[] {
  if (known.has(path) || typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => given(inner, known, `${path}/${key}`));
}

test('values.yaml has every value that the schema names, and no other', () => {
  // In a subchart, helm adds `global`, and the parent sets `enabled`.
  const known = named(schema).filter((path) => !['/global', '/enabled'].includes(path));
  assert.deepEqual(given(values, new Set(known)).toSorted(), known.toSorted());
});

test('the log levels of the schema are those of the program', () => {
  // Empty: use the configuration's.
  assert.deepEqual(schema.properties?.['logLevel']?.enum, ['', ...LOG_LEVELS]);
});

test('every section that the program reads only at the start makes a new pod', async () => {
  const [, sections = ''] = /pick \$read ([^|]*)/.exec(await read('templates/_config.tpl')) ?? [];
  const picked: readonly string[] = sections.match(/\w+/g) ?? [];
  assert.deepEqual(
    READ_ONCE.filter((section) => !picked.includes(section)),
    [],
  );
});
