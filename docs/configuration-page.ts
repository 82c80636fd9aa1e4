/** docs/configuration.md: every option except the handlers', from the schema that checks the file. */
import { z } from 'zod';
import { asSchema, typeOf, type Schema } from '../src/cli/handler-page.ts';
import { READ_ONCE } from '../src/config/config.ts';
import { configFile } from '../src/config/schema.ts';
import { cell, table } from '../src/text/markdown.ts';

const INTRO = `# The configuration

Every option except those of the [handlers](handlers/). \`make docs\` generates this page from the program. \`watchchain new config\` writes a file to start from, and \`watchchain check\` says what a file means, or lists every mistake in it.

- \`\${NAME}\` in a string is replaced by the environment variable of that name, and \`\${file:/path}\` by the content of that file, without its final line feed; an empty file is refused. No error, and no \`watchchain test\`, shows the content of a file, or of a variable if its name or its key sounds like a secret, or what the file itself has under a key such as \`token\` or \`password\`. \`$\${\` stands for \`\${\` itself.
- A duration is written as \`"250ms"\`, \`"30s"\`, \`"5m"\` or \`"1h30m"\`, and is at most \`"24d"\`.
- Paths are relative to the configuration file.
- The running service picks up a change to the file, or to a file that it refers to. These need a restart: ${READ_ONCE.map((name) => `\`[${name}]\``).join(', ')}, the code of your own handlers, and the value of a variable.
`;

/** Markdown: the top level of the file, then a section for each table. */
export function configurationPage(): string {
  // The input side of the schema, which people write.
  const top = z.toJSONSchema(configFile, { io: 'input', unrepresentable: 'any' });
  return [INTRO, ...sections('At the top of the file', '', top)].join('\n');
}

/** The section of a table, then those of its inner tables. */
function sections(title: string, path: string, schema: Schema): readonly string[] {
  const rows: (readonly string[])[] = [];
  const inner: string[] = [];
  for (const [name, found] of Object.entries(schema.properties ?? {})) {
    const field = asSchema(found);
    const below = name === 'chain' ? undefined : tableIn(field);
    if (below === undefined) {
      const isRequired = schema.required?.includes(name) === true;
      const cells = [`\`${name}\``, typeOf(field), `${isRequired ? '**Required.** ' : ''}${field.description ?? ''}`];
      rows.push(cells.map(cell));
    } else {
      const [key, about] = [`${path}${name}`, field.description ?? below.description];
      const heading = `\`${field.type === 'array' ? `[[${key}]]` : `[${key}]`}\``;
      inner.push(...sections(heading, `${key}.`, { ...below, ...(about === undefined ? {} : { description: about }) }));
    }
  }
  const text = schema.description === undefined ? '' : `${schema.description}\n\n`;
  return [`## ${title}\n\n${text}${table(['option', 'type', 'meaning'], rows)}\n`, ...inner];
}

/** The schema of a table or of a list of tables; undefined for anything else. */
function tableIn(field: Schema): Schema | undefined {
  const table = field.type === 'array' ? asSchema(field.items) : field;
  return Object.keys(table.properties ?? {}).length === 0 ? undefined : table;
}
