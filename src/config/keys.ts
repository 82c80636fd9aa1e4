/** Keys in any case, as in kwatchman's viper: converted to the schema's spelling, and refused if the schema has none. */
import { z } from 'zod';
import { didYouMean } from '../text/near.ts';
import { isTable, mapValues } from './expand.ts';
import type { Path, Problem } from './problems.ts';

/**
 * A copy of `value` in the spelling of `schema`. Unknown keys and second spellings of a key become problems and are left out.
 * One string for a list of words (`"Add,Delete"`) is split, and one table for a list of tables is a list of one, as in viper.
 */
export function canonicalize(value: unknown, schema: z.core.$ZodType, path: Path, problems: Problem[]): unknown {
  const shape = unwrapSchema(value, schema);
  if (shape instanceof z.ZodObject && isTable(value)) return canonicalizeTable(value, shape, path, problems);
  if (shape instanceof z.ZodRecord && isTable(value)) {
    return mapValues(value, (inner, key) => canonicalize(inner, shape.valueType, [...path, key], problems));
  }
  if (!(shape instanceof z.ZodArray)) return value;
  return (
    elements(value, shape)?.map((inner, index) => canonicalize(inner, shape.element, [...path, index], problems)) ??
    value
  );
}

function canonicalizeTable(
  table: Readonly<Record<string, unknown>>,
  schema: z.ZodObject,
  path: Path,
  problems: Problem[],
): unknown {
  const known = new Map(Object.entries(schema.shape).map(([name, field]) => [name.toLowerCase(), { name, field }]));
  const allowsUnknown = schema.def.catchall !== undefined && !(schema.def.catchall instanceof z.ZodNever);
  const written = new Map<string, string>();
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of Object.entries(table)) {
    const { name, field } = known.get(key.toLowerCase()) ?? { name: key, field: undefined };
    const earlier = written.get(name);
    if (field === undefined && !allowsUnknown) {
      problems.push({ path: [...path, key], message: `unknown key${knownKeys(key, Object.keys(schema.shape), path)}` });
    } else if (earlier !== undefined) {
      problems.push({ path: [...path, key], message: `"${earlier}" and "${key}" are the same key: set it once` });
    } else {
      written.set(name, key);
      copy[name] = field === undefined ? value : canonicalize(value, field, [...path, name], problems);
    }
  }
  return copy;
}

/** In TOML, keys after a `[[handler]]` belong to that handler, even if they look like top-level ones. */
const ABOVE: ReadonlyMap<string, string> = new Map([
  ...['whileAway', 'existing'].map((key) => [key, 'of the file'] as const),
  ...['quiet', 'concurrency', 'coalesce', 'deadLetters'].map(
    (key) => [key, 'of the file or of its [[chain]]'] as const,
  ),
]);

function knownKeys(key: string, names: readonly string[], path: Path): string {
  const above = path.length === 0 ? undefined : ABOVE.get(key);
  if (above !== undefined) return `; it goes to the top ${above}, before the first [[resource]] and [[handler]]`;
  return (
    didYouMean(key, names) ||
    (names.length === 0 ? '; no keys are allowed here' : `; valid keys are ${names.toSorted().join(', ')}`)
  );
}

/** The part of the schema that defines the content of tables and lists; for a union, the branch for this type of value. */
function unwrapSchema(value: unknown, schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable) {
    return unwrapSchema(value, schema.unwrap());
  }
  if (schema instanceof z.ZodPipe) return unwrapSchema(value, schema.in);
  if (!(schema instanceof z.ZodUnion)) return schema;
  const branches = schema.options.map((branch) => unwrapSchema(value, branch));
  return (
    branches.find((branch) => (Array.isArray(value) ? branch instanceof z.ZodArray : isTableSchema(branch))) ?? schema
  );
}

function isTableSchema(schema: z.core.$ZodType): boolean {
  return schema instanceof z.ZodObject || schema instanceof z.ZodRecord;
}

/** Only words that cannot contain a comma are split: a regular expression can. */
function elements(value: unknown, { element }: z.ZodArray): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (isTable(value) && element instanceof z.ZodObject) return [value];
  if (typeof value === 'string' && element instanceof z.ZodEnum) return value.split(',').map((word) => word.trim());
  return undefined;
}
