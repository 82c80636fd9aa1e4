/** `watchchain new handler NAME`, `watchchain new config`: working files to start from. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { codeOf, ConfigError } from '../errors.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { pythonFiles, typescriptFiles, type NewFile } from './new-handler.ts';

interface Flags {
  readonly python?: boolean;
  readonly folder: string;
}

const CONFIG = 'config.toml';
const TO_STDOUT = '-';

export function newCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const command = program
    .command('new')
    .description('write a starter configuration, or a working handler of your own with its test');
  command
    .command('config')
    .description('write a starter configuration')
    .argument('[file]', `file to write; "${TO_STDOUT}" prints it`, CONFIG)
    .allowExcessArguments(false)
    .action((file: string) => choose(() => writeConfig(file, io)));
  command
    .command('handler')
    .description('write a working handler of your own, and its test')
    .argument('<name>', 'lower-case letters, digits and "-"')
    .option('--python', 'write a program for the handler exec, in Python', false)
    .option('--folder <folder>', 'folder to write to; created if missing', '.')
    .allowExcessArguments(false)
    .action((name: string, flags: Flags) => choose(() => writeNew(name, flags, io)));
}

/** Writes the worked example, which is beside package.json. */
async function writeConfig(file: string, io: CommandIo): Promise<number> {
  const example = new URL(CONFIG, pathToFileURL(findPackageJSON(import.meta.url) ?? ''));
  const text = await readFile(example, 'utf8');
  if (file === TO_STDOUT) io.stdout.write(text);
  else {
    await mkdir(dirname(file), { recursive: true });
    await writeAll([{ name: file, text }], '');
    const flag = file === CONFIG ? '' : ` -c ${file}`;
    io.stdout.write(
      `Wrote ${file}\n\nShow what it means, and whether the cluster allows it:\n\n  watchchain check${flag} --cluster\n`,
    );
  }
  return EXIT.ok;
}

async function writeNew(name: string, { python = false, folder }: Flags, io: CommandIo): Promise<number> {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))
    throw new ConfigError([
      `"${name}" is not a valid handler name: use lower-case letters, digits and "-", as in page-me`,
    ]);
  const hook = fileURLToPath(new URL(`../chain/running-copy${extname(import.meta.url)}`, import.meta.url));
  await mkdir(folder, { recursive: true });
  const { files, use, test } = python ? pythonFiles(name) : typescriptFiles(name, hook, await extensionIn(folder));
  await writeAll(files, folder);
  const written = files.map((file) => `Wrote ${join(folder, file.name)}\n`).join('');
  io.stdout.write(
    `${written}\nTest it, in ${folder}:\n\n  ${test}\n\nUse it, in a configuration in that folder:\n\n${use}`,
  );
  return EXIT.ok;
}

/** `npm init` writes a package.json that makes `.ts` CommonJS, in which a handler cannot be written. */
async function extensionIn(folder: string): Promise<'ts' | 'mts'> {
  const file = findPackageJSON('.', pathToFileURL(join(resolve(folder), 'handler.ts')));
  // Without a package.json it returns where the search stopped.
  if (file?.endsWith('package.json') !== true) return 'ts';
  const { type } = JSON.parse(await readFile(file, 'utf8')) as { readonly type?: unknown };
  return type === 'commonjs' ? 'mts' : 'ts';
}

/** In order, up to the first that already exists: nothing is overwritten. */
async function writeAll(files: readonly NewFile[], folder: string): Promise<void> {
  for (const { name, text, isProgram = false } of files) {
    try {
      await writeFile(join(folder, name), text, { flag: 'wx', mode: isProgram ? 0o755 : 0o644 });
    } catch (thrown) {
      if (codeOf(thrown) !== 'EEXIST') throw thrown;
      throw new ConfigError([`${join(folder, name)} already exists and is not overwritten: choose another name`]);
    }
  }
}
