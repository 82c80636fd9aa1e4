/** The handlers' pages, for `explain` and docs/handlers/: generated from their definitions, so that they cannot drift. */
import { z } from 'zod';
import type { HandlerDefinition } from '../chain/handler.ts';
import { sinkOptions } from '../config/sink-options.ts';
import { builtinHandlerNames, loadHandler } from '../chain/load.ts';
import { cell, table } from '../text/markdown.ts';

/** Every built-in handler, by name. */
export async function builtinHandlers(): Promise<readonly HandlerDefinition[]> {
  const names = await builtinHandlerNames();
  return Promise.all(names.map((name) => loadHandler(name, process.cwd())));
}

const TYPE_NOTE: Readonly<Record<HandlerDefinition['type'], string>> = {
  transform: 'A transform: it lets a change pass, or halts it with a reason.',
  stateful: 'A transform with a memory: it lets a change pass, or halts it, depending on what it has seen before.',
  sink: 'A sink: it delivers the change and passes it on.',
};

/** The Markdown page of a handler: what it does, its options, its examples. Ends with a newline. */
export function handlerPage(definition: HandlerDefinition): string {
  const examples = definition.examples.flatMap(({ title, toml }) => [
    `${title}:`,
    `\`\`\`toml\n${toml.trimEnd()}\n\`\`\``,
  ]);
  return [
    `# ${definition.name}`,
    definition.summary,
    definition.description,
    TYPE_NOTE[definition.type],
    '## Options',
    optionsTable(definition.options),
    ...(definition.type === 'sink' ? ['Like every sink, it also takes:', optionsTable(sinkOptions)] : []),
    ...(examples.length === 0 ? [] : ['## Examples', ...examples]),
  ]
    .join('\n\n')
    .concat('\n');
}

function optionsTable(options: z.ZodObject): string {
  // The input side of the schema, which people write: there, an option with a default is optional.
  const { properties = {}, required = [] } = z.toJSONSchema(options, { io: 'input', unrepresentable: 'any' });
  const rows = Object.entries(properties).map(([name, schema]) => {
    const field = asSchema(schema);
    return [
      code(name),
      typeOf(field),
      required.includes(name) ? '**required**' : field.default === undefined ? '' : code(tomlValue(field.default)),
      'example' in field ? code(tomlValue(field['example'])) : '',
      field.description ?? '',
    ];
  });
  if (rows.length === 0) return 'None.';
  const cells = rows.map((row) => row.map(cell));
  return table(['option', 'type', 'default', 'example', 'meaning'], cells);
}

export type Schema = z.core.JSONSchema.JSONSchema;

/** A schema's type in words: `string`, `list of string`, `string or list` (of the same), `"json" or "pretty"`. */
export function typeOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => code(tomlValue(value))).join(' or ');
  if (schema.const !== undefined) return code(tomlValue(schema.const));
  const either = schema.anyOf ?? schema.oneOf;
  if (either !== undefined) {
    const types = either.map(asSchema).map(typeOf);
    return types.map((type, n) => (n > 0 && type === `list of ${types[n - 1]}` ? 'list' : type)).join(' or ');
  }
  if (schema.type === 'array') return `list of ${typeOf(asSchema(schema.items))}`;
  if (schema.type === 'object') return `table of ${typeOf(asSchema(schema.additionalProperties))}`;
  return [schema.type ?? 'any'].flat().join(' or ');
}

export function asSchema(schema: unknown): Schema {
  return typeof schema === 'object' && schema !== null ? (schema as Schema) : {};
}

/** A value in TOML: the same as JSON, except for tables. */
function tomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) => `${tomlKey(key)} = ${tomlValue(member)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}

function tomlKey(key: string): string {
  return /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
}

function code(text: string): string {
  return `\`${text}\``;
}
