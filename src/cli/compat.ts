/**
 * `--compat TOOL` as the first flag, or WATCHCHAIN_COMPAT: takes the flags of another tool, so that the `args` of its chart can
 * stay as they are. Set by the user, never guessed. A command may follow the flag: `--compat TOOL check`.
 */
import { NO_FILE } from '../config/adapters/adapter.ts';
import { own } from '../json.ts';
import { didYouMean } from '../text/near.ts';
import type { CommandIo } from './command.ts';

/** Reports what is wrong with the command line, and throws. */
type Refuse = (message: string) => never;
/** Our own flags for the given ones, without a command. */
type Rewrite = (argv: readonly string[], refuse: Refuse, env: NodeJS.ProcessEnv) => readonly string[];

const TOOLS: Readonly<Record<string, Rewrite>> = {
  kwatchman: ofKwatchman,
  'event-exporter': ofEventExporter,
  'event-controller': ofEventController,
  'pod-watcher': ofPodWatcher,
};

/** Our own command line for the given one. */
export function ownArguments({ argv, env }: Pick<CommandIo, 'argv' | 'env'>, refuse: Refuse): readonly string[] {
  const [first = '', second = ''] = argv;
  const [, joined] = /^--compat=(.*)$/.exec(first) ?? [];
  if (joined !== undefined) return rewritten(joined, argv.slice(1), refuse, env);
  if (first === '--compat') return rewritten(second, argv.slice(2), refuse, env);
  const tool = env['WATCHCHAIN_COMPAT'] ?? '';
  // In such a pod, commands such as `watchchain dead list` are still ours.
  const isOwn = /^[^-]/.test(first);
  return tool === '' || isOwn ? argv : rewritten(tool, argv, refuse, env);
}

function rewritten(tool: string, argv: readonly string[], refuse: Refuse, env: NodeJS.ProcessEnv): readonly string[] {
  const rewrite = own(TOOLS, tool);
  if (rewrite !== undefined) return forCommand(argv, (flags) => rewrite(flags, refuse, env));
  const names = Object.keys(TOOLS);
  return refuse(
    `--compat: there is no tool "${tool}"${didYouMean(tool, names) || `; known tools are ${names.join(', ')}`}`,
  );
}

/** These read the same configuration as `run`. */
const READERS: readonly string[] = ['check', 'rbac'];
/** What only `run` has, and may stay in a line to which somebody adds `check`. */
const OF_RUN = /^--(or-in-memory|listen(=.*)?)$/s;

/** `run`, unless another command comes first: `--compat TOOL check` reads what `run` would. The rest of ours has no such flags. */
function forCommand(
  argv: readonly string[],
  rewrite: (argv: readonly string[]) => readonly string[],
): readonly string[] {
  const [first = '', ...others] = argv;
  const hasCommand = /^[^-]/.test(first);
  const command = hasCommand ? first : 'run';
  if (command !== 'run' && !READERS.includes(command)) return argv;
  const flags = rewrite(hasCommand ? others : argv);
  // The charts of these tools mount no volume for the state.
  if (command === 'run') return ['run', '--or-in-memory', ...flags];
  return [command, ...flags.filter((flag, n) => !OF_RUN.test(flag) && flags[n - 1] !== '--listen')];
}

/** kwatchman's flags are ours. */
function ofKwatchman(argv: readonly string[]): readonly string[] {
  return argv;
}

/** kubernetes-event-exporter's flags, and ours for each. All of them take a value. */
const EXPORTER_FLAGS: Readonly<Record<string, string>> = {
  conf: '--config',
  kubeconfig: '--kubeconfig',
  'metrics-address': '--listen',
};

/** kubernetes-event-exporter: Go's flags, with one dash or two, the value after a blank or `=`. Our own flags are passed on. */
function ofEventExporter(argv: readonly string[], refuse: Refuse): readonly string[] {
  const given = new Map([
    ['--config', 'config.yaml'],
    ['--listen', ':2112'],
  ]);
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    const [, name = '', joined] = /^--?([a-z-]+)(?:=(.*))?$/s.exec(argument) ?? [];
    if (name === 'metrics-tls-config')
      refuse('-metrics-tls-config is not supported: the endpoints are plain HTTP, put them behind a proxy');
    const ours = own(EXPORTER_FLAGS, name);
    if (ours === undefined) {
      // Our own parser would take -confg for -c with the value onfg.
      if (/^-[a-z]{2}/.test(argument))
        refuse(`unknown flag '${argument}'${didYouMean(name, Object.keys(EXPORTER_FLAGS))}`);
      rest.push(argument);
      continue;
    }
    const value = joined ?? argv[++index];
    if (value === undefined) return refuse(`flag needs an argument: -${name}`);
    if (value !== '') given.set(ours, value);
  }
  return [...[...given].flat(), ...rest];
}

/** The Event Controller: only `-c` or `--config`, and CONFIG_FILE, which its container reads; without, the environment alone. */
function ofEventController(argv: readonly string[], _refuse: Refuse, env: NodeJS.ProcessEnv): readonly string[] {
  const isGiven = argv.some((argument) => /^(-c|--config)/.test(argument));
  const file = env['CONFIG_FILE'] || NO_FILE;
  return ['--tool', 'event-controller', ...(isGiven ? [] : ['--config', file]), ...argv];
}

/** The Pod Watcher: configured by its environment, and reachable from anywhere on this port. Our own flags are passed on. */
function ofPodWatcher(argv: readonly string[]): readonly string[] {
  const port = argv.some((argument) => argument.startsWith('--listen')) ? [] : ['--listen', ':8080'];
  return ['--tool', 'pod-watcher', '--config', NO_FILE, ...port, ...argv];
}
