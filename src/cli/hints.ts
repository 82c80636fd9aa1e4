/** What to write instead of what people try first, because other tools have it. */
import type { Command } from 'commander';
import { own } from '../json.ts';
import { didYouMean } from '../text/near.ts';

/** Commands of other tools, and ours for the same purpose. */
const COMMANDS: Readonly<Record<string, string>> = {
  convert: 'import',
  events: 'history',
  handlers: 'explain',
  init: 'new config',
  lint: 'check',
  logs: 'history',
  replay: 'dead replay',
  serve: 'run',
  start: 'run',
  validate: 'check',
  verify: 'check',
  watch: 'run',
};

const CONFIG_FILE = 'Name a configuration file with -c';
const VERBOSE = '--log-level debug logs more, --version prints the version';
const QUIET = 'The exit code says the same, with the output sent to /dev/null';
const EVERYWHERE = 'All namespaces are watched, unless -n or the configuration names some';
const DRY_RUN = 'watchchain check shows what would be watched, watchchain test what would be sent';

const FLAGS: Readonly<Partial<Record<string, string>>> = {
  '-v': VERBOSE,
  '-V': VERBOSE,
  '--verbose': VERBOSE,
  '--debug': VERBOSE,
  '-f': CONFIG_FILE,
  '--file': CONFIG_FILE,
  '--filename': CONFIG_FILE,
  '-q': QUIET,
  '--quiet': QUIET,
  '-A': EVERYWHERE,
  '--all-namespaces': EVERYWHERE,
  '--dry-run': DRY_RUN,
};

/** Other ways to ask for the version, as in kubectl and Node. */
export function isVersionRequest([first = '', ...others]: readonly string[]): boolean {
  return others.length === 0 && ['version', '-v', '-V'].includes(first);
}

/** What follows `unknown command 'validate'`. */
export function commandHint(requested: string, names: readonly string[]): string {
  const ours = own(COMMANDS, requested);
  if (ours !== undefined) return `; use watchchain ${ours}`;
  return didYouMean(requested, names) || `; the commands are ${names.join(', ')}`;
}

/** What follows `unknown option '-q'`, as a line of its own; empty if it is not clear what was meant. */
export function optionHint(message: string, program: Command): string {
  const [, flag = ''] = /unknown option '([^'=]+)/.exec(message) ?? [];
  // `-v3` is `-v` with a value.
  const name = flag.startsWith('--') ? flag : flag.slice(0, 2);
  const owners = program.commands.filter(({ options }) =>
    options.some(({ short, long }) => [short, long].includes(name)),
  );
  const hint =
    FLAGS[name] ??
    (owners.length === 0 ? undefined : `It is a flag of ${owners.map((one) => `watchchain ${one.name()}`).join(', ')}`);
  return hint === undefined ? '' : `(${hint})\n`;
}

/** For a word too many, as a line of its own; empty if it is not clear what was meant. */
export function excessHint(argv: readonly string[]): string {
  // What followed the flags was taken for an argument of `run`.
  if (argv[0]?.startsWith('-') === true) return '(A command comes before its flags: watchchain history -c FILE)\n';
  if (argv.at(-1) === 'help') return `(Its help: watchchain help ${argv.slice(0, -1).join(' ')})\n`;
  return argv.some((word) => /\.(toml|ya?ml|json|ini)$/.test(word)) ? `(${CONFIG_FILE})\n` : '';
}
