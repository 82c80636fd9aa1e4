/** `explain [HANDLER]` prints a handler's page, `explain templates` that of templates, `explain --change ID` a change's trip. */
import { type Command, Option } from 'commander';
import { loadHandler } from '../chain/load.ts';
import { ConfigError } from '../errors.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { explainChange } from './explain-change.ts';
import { builtinHandlers, handlerPage } from './handler-page.ts';
import { withStateFlags, type StateFlags } from './options.ts';
import { withStore } from './state.ts';
import { idOf } from './values.ts';

interface Flags extends StateFlags {
  readonly change?: string;
  readonly output?: 'text' | 'json';
}

export function explainCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const command = program
    .command('explain')
    .description(
      'show what a handler does and its options; without a name, list the handlers; with --change, show what became of a change',
    )
    .argument(
      '[handler]',
      'name of a built-in handler, or path of your own; or "templates", for the names and filters of templates',
    )
    .allowExcessArguments(false)
    .option('--change <id>', 'the trip of this change through each chain; `watchchain history` shows the ids')
    .addOption(new Option('-o, --output <format>', 'format of the trip').choices(['text', 'json']));
  withStateFlags(command).action((name: string | undefined, flags: Flags) => choose(() => explain(name, flags, io)));
}

async function explain(name: string | undefined, flags: Flags, io: CommandIo): Promise<number> {
  const { change } = flags;
  if (change === undefined && flags.output !== undefined)
    throw new ConfigError(['-o is the format of a trip: add --change with the id of a change, or leave -o out']);
  if (change === undefined) return explainHandler(name, io);
  if (name !== undefined)
    throw new ConfigError(['Cannot explain a handler and a change at the same time; leave one of them out']);
  const id = idOf(change);
  return withStore(flags, io, (store) => explainChange(store, id, flags, io));
}

async function explainHandler(name: string | undefined, io: CommandIo): Promise<number> {
  io.stdout.write(await pageOf(name));
  return EXIT.ok;
}

async function pageOf(name: string | undefined): Promise<string> {
  if (name === undefined) return handlerIndex();
  if (/^\d+$/.test(name))
    throw new ConfigError([`Not a handler: "${name}"; for a change: watchchain explain --change ${name}`]);
  if (name !== 'templates') return handlerPage(await loadHandler(name, process.cwd()));
  const { templatesPage } = await import('../template/page.ts');
  return templatesPage();
}

/** One line per built-in handler, aligned. */
async function handlerIndex(): Promise<string> {
  const definitions = await builtinHandlers();
  const width = Math.max(...definitions.map(({ name }) => name.length));
  return definitions.map(({ name, summary }) => `${name.padEnd(width)}  ${summary}\n`).join('');
}
