/** The command line: selects the command and the exit code. Each command is a file beside this one. */
import { Command, CommanderError } from 'commander';
import { isConfigError, toError } from '../errors.ts';
import { checkCommand } from './check.ts';
import { ownArguments } from './compat.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { deadCommand } from './dead.ts';
import { demoCommand } from './demo.ts';
import { explainCommand } from './explain.ts';
import { commandHint, excessHint, isVersionRequest, optionHint } from './hints.ts';
import { historyCommand } from './history.ts';
import { importCommand } from './import.ts';
import { newCommand } from './new.ts';
import { purgeCommand } from './purge.ts';
import { rbacCommand } from './rbac.ts';
import { runCommand } from './run.ts';
import { testCommand } from './test-chains.ts';
import { versionText } from '../version.ts';

const EXAMPLES = `
Examples:
  watchchain new config                    write a config.toml to start from
  watchchain check --cluster               would it work, and may we?
  watchchain                               watch, as config.toml says
  watchchain -c their.yaml                 with another tool's file
  watchchain --compat kwatchman -c FILE    with another tool's flags and
                                           environment; also event-exporter,
                                           event-controller, pod-watcher
`;

/** Runs one command and returns the exit code. Never throws. */
export async function runCommandLine(io: CommandIo): Promise<number> {
  let action: Action | undefined;
  const program = new Command('watchchain')
    .description('Tells people what changed in their Kubernetes or OpenShift clusters, where they already look.')
    .version(versionText(), '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .addHelpText('after', EXAMPLES)
    .showSuggestionAfterError()
    .exitOverride();
  const choose = (chosen: Action) => {
    action = chosen;
  };
  runCommand(program, io, choose);
  demoCommand(program, io, choose);
  checkCommand(program, io, choose);
  testCommand(program, io, choose);
  importCommand(program, io, choose);
  newCommand(program, io, choose);
  explainCommand(program, io, choose);
  rbacCommand(program, io, choose);
  deadCommand(program, io, choose);
  historyCommand(program, io, choose);
  purgeCommand(program, io, choose);
  try {
    const argv = expanded(ownArguments(io, (message) => program.error(`error: ${message}`, { exitCode: EXIT.usage })));
    refuseUnknownCommand(program, argv);
    program.parse(argv.map(withoutEquals), { from: 'user' });
    return (await action?.()) ?? EXIT.ok;
  } catch (thrown) {
    return explain(thrown, program, io);
  }
}

/** Rewrites `version`, and `help dead list`, of which commander would read only `dead`. */
function expanded(argv: readonly string[]): readonly string[] {
  if (isVersionRequest(argv)) return ['--version'];
  const [first, ...words] = argv;
  return first === 'help' && words.length > 1 ? [...words, '--help'] : argv;
}

/** Allows `-n=shop`, as in kubectl and Go's flags: commander would look for the namespace `=shop`. */
function withoutEquals(argument: string): string {
  return argument.replace(/^(-[a-z])=(?=.)/s, '$1');
}

/** Since `run` is the default, commander would take an unknown command for its argument, and ignore it after `help`. */
function refuseUnknownCommand(program: Command, argv: readonly string[]): void {
  const [requested] = argv[0] === 'help' ? argv.slice(1) : argv;
  if (requested === undefined || requested.startsWith('-')) return;
  const names = ['help', ...program.commands.map((command) => command.name())];
  if (names.includes(requested)) return;
  program.error(`error: unknown command '${requested}'${commandHint(requested, names)}`, { exitCode: EXIT.usage });
}

function explain(thrown: unknown, program: Command, io: CommandIo): number {
  if (thrown instanceof CommanderError) {
    if (thrown.exitCode === 0) return EXIT.ok;
    if (thrown.code === 'commander.excessArguments') io.stderr.write(excessHint(io.argv));
    if (thrown.code === 'commander.unknownOption') io.stderr.write(optionHint(thrown.message, program));
    // An invalid value is a configuration mistake; anything else is an unknown flag or command.
    return thrown.code === 'commander.invalidArgument' ? EXIT.failed : EXIT.usage;
  }
  const error = toError(thrown);
  const lines = isConfigError(error) ? error.problems : [error.message];
  for (const line of lines) io.stderr.write(`watchchain: ${line}\n`);
  return (isConfigError(error) ? error.exitCode : undefined) ?? EXIT.failed;
}
