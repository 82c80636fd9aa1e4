import { stringify, type AnyJson, type JsonMap } from '@iarna/toml';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { isTable } from '../config/expand.ts';
import { pathText } from '../config/problems.ts';
import { readForeignFile } from '../config/read.ts';
import { ConfigError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { withForeignFlags, type ForeignFlags } from './options.ts';

export function importCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const command = program
    .command('import')
    .description("print another tool's configuration as TOML")
    .argument('<file>', "kubernetes-event-exporter's YAML, kwatchman's YAML or JSON, the Event Controller's ini")
    .allowExcessArguments(false);
  withForeignFlags(command).action((file: string, flags: ForeignFlags) => choose(() => importFile(file, flags, io)));
}

/** What keeps the meaning of the other tool's file, and nobody would write otherwise. */
const NOTES: readonly (readonly [found: RegExp, note: string])[] = [
  [
    /^existing = "added"$/m,
    'existing = "added" reports, once, what is there at the first start, as that tool does; without it, only what changes from then on.',
  ],
  [/"\(\?-i\)/, '(?-i) makes a pattern tell upper from lower case where match would not, as that tool does.'],
];

/** Variables stay references, so that no secret is printed that is not in the file. */
async function importFile(file: string, { lenient = false, repeats }: ForeignFlags, io: CommandIo): Promise<number> {
  const { tool, inside, value, problems, warnings } = await readForeignFile(file, {
    env: io.env,
    lenient,
    repeats: repeats ?? 'first',
    unset: 'keep',
  });
  const lines = (findings: typeof problems) => findings.map(({ line, text }) => `${file}:${line}: ${text}`);
  if (problems.length > 0) throw new ConfigError(lines(problems));
  const place = inside === undefined ? '' : `below ${pathText(inside)}, `;
  const toml = stringify(writable(value) as JsonMap);
  const comments = [
    `From ${basename(file)}, ${place}a configuration of ${tool}.`,
    ...lines(warnings),
    ...NOTES.filter(([found]) => found.test(toml)).map(([, note]) => note),
  ];
  io.stdout.write(`${comments.map((comment) => `# ${printable(comment)}\n`).join('')}\n${toml}`);
  return EXIT.ok;
}

/** Works around the library: it turns texts into tables in a list that begins with one, and writes 1e-7 as 1e-7.undefined. */
function writable(value: unknown): unknown {
  if (Array.isArray(value)) {
    const list = value.map(writable);
    const tables = value.filter(isTable);
    return tables.length === 0 || tables.length === value.length ? list : asWritten(stringify.value(list as AnyJson));
  }
  if (typeof value === 'number' && String(value).includes('e')) return asWritten(String(value));
  if (!isTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, writable(inner)]));
}

/** A date is the only value that can supply its own text to the library. */
function asWritten(text: string): Date {
  return Object.assign(new Date(0), { toISOString: () => text });
}
