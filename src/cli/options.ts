/** Flags shared by several commands; kwatchman's keep their names and variables. */
import { type Command, Option } from 'commander';
import { loadHandler } from '../chain/load.ts';
import type { ChainConfig, Config, HandlerConfig } from '../config/config.ts';
import { handlersIn } from '../config/in-chains.ts';
import { loadConfig, type LoadOptions } from '../config/load.ts';
import type { NamedTool } from '../config/read.ts';
import { REPEATS, type Repeats } from '../event.ts';
import { ConfigError } from '../errors.ts';
import { createLogger, LOG_FORMATS, LOG_LEVELS, type LogFormat, type Logger, type LogLevel } from '../log.ts';
import { takesColor, type CommandIo } from './command.ts';

export interface StateFlags {
  readonly config: string;
  readonly state?: string;
}

/** How another tool's configuration is read. */
export interface ForeignFlags {
  /** Whose configuration it is, as set by `--compat`. */
  readonly tool?: NamedTool;
  readonly lenient?: boolean;
  readonly repeats?: Repeats;
}

export interface ConfigFlags extends StateFlags, ForeignFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly labelSelector?: string;
}

export interface LeaseFlag {
  readonly lease?: string;
}

export interface LogFlags {
  readonly logLevel?: LogLevel;
  readonly logFormat?: LogFormat;
}

const CONFIG = 'config.toml';

/** Flags for the configuration and its state. */
export function withStateFlags(command: Command): Command {
  return command
    .addOption(
      new Option('-c, --config <file>', 'configuration file')
        .env('KW_CONFIG_FILE')
        .default(CONFIG)
        // An empty variable counts as unset.
        .argParser((file) => file || CONFIG),
    )
    .addOption(
      new Option('--state <folder>', 'folder for the state; by default one of its own below $XDG_STATE_HOME').env(
        'WATCHCHAIN_STATE',
      ),
    );
}

/** Flags for the files of other tools. */
export function withForeignFlags(command: Command): Command {
  return command
    .addOption(new Option('--tool <name>').choices(['event-controller', 'pod-watcher']).hideHelp())
    .option('--lenient', "for another tool's file: leave out what is not supported, with a warning", false)
    .addOption(
      new Option('--repeats <which>', "for another tool's file: which occurrences of an Event are reported").choices(
        REPEATS,
      ),
    );
}

/** {@link withStateFlags}, and flags for the cluster. */
export function withConfigFlags(command: Command): Command {
  return withForeignFlags(withStateFlags(command))
    .addOption(
      new Option(
        '-k, --kubeconfig <file>',
        'kubeconfig, or several as in $KUBECONFIG; takes precedence in a pod too',
      ).env('KW_KUBECONFIG'),
    )
    .addOption(new Option('--context <name>', 'context in the kubeconfig'))
    .addOption(
      new Option('-n, --namespace <names>', 'namespaces or patterns, for resources that set none').env('KW_NAMESPACE'),
    )
    .addOption(
      new Option('-l, --label-selector <selector>', 'label selector, for resources that set none').env(
        'KW_LABEL_SELECTOR',
      ),
    );
}

/** The flag for commands that work only while holding a Lease, or need to know of it. */
export function withLeaseFlag(command: Command): Command {
  return command.option(
    '--lease <name>',
    'work only while holding this Lease, [NAMESPACE/]NAME: of several processes, one works',
  );
}

const LOG_LEVEL = "level of the service's own log, on stderr; default: info";

/** kwatchman takes its levels in upper case too. */
function anyCase(option: Option): Option {
  const { parseArg } = option;
  return parseArg === undefined
    ? option
    : option.argParser((value, previous) => parseArg(value.toLowerCase(), previous));
}

export function withLogFlags(command: Command): Command {
  return command
    .addOption(anyCase(new Option('-z, --log-level <level>', LOG_LEVEL).choices(LOG_LEVELS)))
    .addOption(
      new Option('--log-format <format>', 'format of that log; default: text on a terminal, else json').choices(
        LOG_FORMATS,
      ),
    );
}

/** @param onFile see {@link LoadOptions.onFile} */
export function configFrom(
  flags: ConfigFlags & LeaseFlag,
  io: CommandIo,
  onFile?: LoadOptions['onFile'],
): Promise<Config> {
  const { config, kubeconfig, context, namespace, labelSelector, state, lease } = flags;
  const { lenient = false, tool, repeats } = flags;
  return loadConfig(config, {
    env: io.env,
    loadHandler,
    lenient,
    tool,
    onFile,
    repeats,
    // An empty variable counts as unset.
    overrides: {
      kubeconfig: kubeconfig || undefined,
      context: context || undefined,
      namespace: namespace || undefined,
      labelSelector: labelSelector || undefined,
      state: state || undefined,
      lease,
    },
  });
}

/**
 * {@link configFrom} for commands that read the state. They have no flag for how strictly a file is read, and what is
 * called the same elsewhere, such as `--namespace`, selects what is recorded.
 */
export function configOfState({ config, state = '' }: StateFlags, io: CommandIo): Promise<Config> {
  return configFrom({ config, state, lenient: true }, io);
}

/** Handlers may run programs only if whoever starts the service allows it; the file alone cannot. */
export function withExecFlag(command: Command): Command {
  return command.option('--enable-exec', 'allow handlers that run programs');
}

export interface ExecFlag {
  readonly enableExec?: boolean;
}

/**
 * {@link configFrom} for commands that run its handlers.
 * @param options.trustForeignTool another tool's file may run the programs it names, as in that tool
 * @throws ConfigError also for a handler that runs programs without `--enable-exec`, or if Node's permission model forbids it
 */
export async function runnableConfigFrom(
  flags: ConfigFlags & LeaseFlag & ExecFlag,
  io: CommandIo,
  {
    trustForeignTool = false,
    onFile,
  }: { readonly trustForeignTool?: boolean; readonly onFile?: LoadOptions['onFile'] } = {},
): Promise<Config> {
  const config = await configFrom(flags, io, onFile);
  const isAllowed = flags.enableExec === true || (trustForeignTool && config.mayRunPrograms);
  const reason = isAllowed ? FORBIDDEN : 'which is disabled: start with --enable-exec';
  const refused = reason === undefined ? [] : programsIn(config.chains);
  if (refused.length === 0) return config;
  throw new ConfigError(refused.map(({ id, at }) => `${at}: handler ${id} runs a program, ${reason}`));
}

/** Node's permission model, as used in the image, forbids it: each change would become a dead letter. */
const FORBIDDEN =
  'permission' in process && !process.permission.has('child')
    ? 'which this process may not do: set NODE_OPTIONS=--allow-child-process, or SANDBOX= with make'
    : undefined;

/** The handlers that run programs. */
export function programsIn(chains: readonly ChainConfig[]): readonly HandlerConfig[] {
  return handlersIn(chains).filter(({ definition }) => definition.runsPrograms === true);
}

/** Flags win over the configuration. */
export function loggerFrom(flags: LogFlags, { log }: Pick<Config, 'log'>, io: CommandIo): Logger {
  const terminal = io.stderr.isTTY === true;
  return createLogger({
    level: flags.logLevel ?? log.level ?? 'info',
    format: flags.logFormat ?? log.format ?? (terminal ? 'text' : 'json'),
    color: takesColor(io.stderr, io.env),
    stream: io.stderr,
  });
}
