/** `watchchain new handler NAME`: a handler that works, and its test, to begin with. */
import { mkdir, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Argument, type Command } from 'commander';
import { codeOf, ConfigError } from '../errors.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { pythonFiles, typescriptFiles, type NewFile } from './new-handler.ts';

interface Flags {
  readonly python?: boolean;
  readonly folder: string;
}

export function newCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  program
    .command('new')
    .description('write a handler of your own that works, and its test')
    .addArgument(new Argument('<what>').choices(['handler']))
    .argument('<name>', 'lower-case letters, digits and "-"')
    .option('--python', 'a program for the handler exec, in Python', false)
    .option('--folder <folder>', 'where to; made when it is missing', '.')
    .allowExcessArguments(false)
    .action((_what: string, name: string, flags: Flags) => choose(() => writeNew(name, flags, io)));
}

async function writeNew(name: string, { python = false, folder }: Flags, io: CommandIo): Promise<number> {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))
    throw new ConfigError([
      `"${name}" is no name for a handler: use lower-case letters, digits and "-", as in page-me`,
    ]);
  const hook = fileURLToPath(new URL(`../chain/running-copy${extname(import.meta.url)}`, import.meta.url));
  const { files, use, test } = python ? pythonFiles(name) : typescriptFiles(name, hook);
  await mkdir(folder, { recursive: true });
  await writeAll(files, folder);
  const written = files.map((file) => `Wrote ${join(folder, file.name)}\n`).join('');
  io.stdout.write(`${written}\nTest it, in ${folder}:\n\n  ${test}\n\nUse it, in a configuration beside it:\n\n${use}`);
  return EXIT.ok;
}

/** In their order, up to one that is there: nothing is written over. */
async function writeAll(files: readonly NewFile[], folder: string): Promise<void> {
  for (const { name, text, isProgram = false } of files) {
    try {
      await writeFile(join(folder, name), text, { flag: 'wx', mode: isProgram ? 0o755 : 0o644 });
    } catch (thrown) {
      if (codeOf(thrown) !== 'EEXIST') throw thrown;
      throw new ConfigError([`${join(folder, name)} is there already, and is left as it is: choose another name`]);
    }
  }
}
