import { stringify, type JsonMap } from '@iarna/toml';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { readForeignFile } from '../config/read.ts';
import { ConfigError } from '../errors.ts';
import { printable } from '../log.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { withForeignFlags, type ForeignFlags } from './options.ts';

export function importCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const command = program
    .command('import')
    .description("print the TOML that another tool's configuration stands for")
    .argument('<file>', "kubernetes-event-exporter's YAML, kwatchman's YAML or JSON, the Event Controller's ini")
    .allowExcessArguments(false);
  withForeignFlags(command).action((file: string, flags: ForeignFlags) => choose(() => importFile(file, flags, io)));
}

/** Variables stay references: what is printed holds no secret that the file does not hold. */
async function importFile(file: string, { lenient = false, repeats }: ForeignFlags, io: CommandIo): Promise<number> {
  const { tool, value, problems, warnings } = await readForeignFile(file, {
    env: io.env,
    lenient,
    repeats: repeats ?? 'first',
    unset: 'keep',
  });
  const lines = (findings: typeof problems) => findings.map(({ line, text }) => `${file}:${line}: ${text}`);
  if (problems.length > 0) throw new ConfigError(lines(problems));
  const comments = [`From ${basename(file)}, a configuration of ${tool}.`, ...lines(warnings)];
  io.stdout.write(`${comments.map((comment) => `# ${printable(comment)}\n`).join('')}\n${stringify(value as JsonMap)}`);
  return EXIT.ok;
}
