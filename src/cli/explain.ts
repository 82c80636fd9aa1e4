/** `explain [HANDLER]`: prints a handler's page. */
import type { Command } from 'commander';
import { loadHandler } from '../chain/load.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { builtinHandlers, handlerPage } from './handler-page.ts';

export function explainCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  program
    .command('explain')
    .description('what a handler does and which options it has; without a name, which handlers there are')
    .argument('[handler]', 'name of a built-in handler, or path of your own')
    .allowExcessArguments(false)
    .action((name: string | undefined) => choose(() => explain(name, io)));
}

async function explain(name: string | undefined, io: CommandIo): Promise<number> {
  io.stdout.write(name === undefined ? await handlerIndex() : handlerPage(await loadHandler(name, process.cwd())));
  return EXIT.ok;
}

/** One line per built-in handler, aligned. */
async function handlerIndex(): Promise<string> {
  const definitions = await builtinHandlers();
  const width = Math.max(...definitions.map(({ name }) => name.length));
  return definitions.map(({ name, summary }) => `${name.padEnd(width)}  ${summary}\n`).join('');
}
