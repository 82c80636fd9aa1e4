/** `check`: shows what the configuration means. */
import type { Command } from 'commander';
import { assertCanStart } from '../app/trial.ts';
import { longestWaitMs } from '../chain/retry.ts';
import type { ChainConfig, Config, HandlerConfig, ResourceConfig, RetryConfig } from '../config/config.ts';
import { exposedFiles } from '../config/exposed-files.ts';
import { createLogger } from '../log.ts';
import { resolveBuiltIn } from '../source/built-in-kinds.ts';
import { checkCluster } from './check-cluster.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { configFrom, programsIn, withConfigFlags, withLeaseFlag, type ConfigFlags, type LeaseFlag } from './options.ts';

type Flags = ConfigFlags & LeaseFlag & { readonly cluster?: boolean };

export function checkCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const command = program
    .command('check')
    .description('show what the configuration means: what would be watched and done, or every mistake in it')
    .allowExcessArguments(false)
    .option('--cluster', 'also ask the cluster whether it serves these kinds and allows watching them');
  withLeaseFlag(withConfigFlags(command)).action((flags: Flags) => choose(() => check(flags, io)));
}

async function check(flags: Flags, io: CommandIo): Promise<number> {
  const config = await configFrom(flags, io);
  const log = createLogger({ level: 'error', format: 'text', color: false, stream: io.stderr });
  await assertCanStart(config, { ...io, log });
  const exposed = await exposedFiles(config.secretFiles, io.env);
  const warnings = [...config.warnings, ...exposed].map((warning) => `${warning}\n`).join('');
  io.stdout.write(
    `${config.file} is valid.\n${warnings}\n${config.chains.map(describeChain).join('\n')}${describeService(config)}`,
  );
  return flags.cluster === true ? checkCluster(config, io) : EXIT.ok;
}

function describeChain(chain: ChainConfig): string {
  return [
    `chain ${JSON.stringify(chain.name)}`,
    ...(chain.resources.length === 0 ? ['  gets     the dead letters of other chains'] : []),
    ...chain.resources.map((resource, n) => `${n === 0 ? '  watches ' : '          '} ${describeResource(resource)}`),
    ...describeHandlers(chain),
    '',
  ].join('\n');
}

/** What a chain or branch does, with its branches indented below. */
function describeHandlers(chain: ChainConfig): readonly string[] {
  return [
    ...chain.handlers.map(
      (handler, n) => `${n === 0 ? '  then    ' : '          '} ${n + 1}. ${describeHandler(chain, handler)}`,
    ),
    `  retries  ${describeRetries(chain.retry)}; ${chain.concurrency} ${chain.concurrency === 1 ? 'change' : 'changes'} at once`,
    ...(chain.deadLettersTo === undefined
      ? []
      : [`  its dead letters also go to chain ${JSON.stringify(chain.deadLettersTo)}`]),
    ...chain.branches.flatMap((branch) => [
      `  branch ${JSON.stringify(branch.name.slice(chain.name.length + 1))}`,
      ...describeHandlers(branch).map((line) => `  ${line}`),
    ]),
  ];
}

/** What the process does besides its chains. Shows only the host of URLs. */
function describeService({ chains, mayRunPrograms, lease, heartbeat, tracing }: Config): string {
  const programs = mayRunPrograms ? [] : programsIn(chains);
  const lines = [
    programs.length === 0
      ? undefined
      : `programs   run by ${programs.map(({ id }) => id).join(', ')}: start with --enable-exec`,
    lease &&
      `lease      works only while it holds ${lease.name} in ${lease.namespace ?? "the namespace of the pod, or the kubeconfig's"}; another process may take it ${inSeconds(lease.durationMs)} after the last renewal`,
    heartbeat &&
      `heartbeat  ${heartbeat.method} to ${new URL(heartbeat.url).host} every ${inSeconds(heartbeat.everyMs)} while all is well`,
    tracing &&
      `tracing    ${Number((tracing.ratio * 100).toPrecision(3))} % of the changes to ${new URL(tracing.endpoint).host}`,
  ].filter((line) => line !== undefined);
  return lines.length === 0 ? '' : `\n${lines.join('\n')}\n`;
}

function inSeconds(ms: number): string {
  return `${ms / 1_000} s`;
}

/** Waits beyond these are not listed. */
const MAX_LISTED = 5;

function describeRetries(retry: RetryConfig): string {
  const { retries, minTimeoutMs, factor } = retry;
  if (retries === 0) return 'none';
  const waits = Array.from({ length: Math.min(retries, MAX_LISTED) }, (_, n) => minTimeoutMs * factor ** n);
  const listed = waits.map((ms) => `${Math.min(ms, longestWaitMs(retry)) / 1000} s`).join(', ');
  return `${retries}, after ${listed}${retries > MAX_LISTED ? ', ...' : ''}, each times a random 1 to 2`;
}

function describeResource({ kind, apiVersion, namespaces, labelSelector, fieldSelector }: ResourceConfig): string {
  const known = resolveBuiltIn(kind, apiVersion);
  const hasNone = known.kind === 'found' && !known.resource.namespaced;
  const inNamespaces = namespaces.length === 0 ? 'all namespaces' : `in ${namespaces.join(', ')}`;
  const where = hasNone ? 'at the cluster scope' : inNamespaces;
  const selectors = [labelSelector && `labels ${labelSelector}`, fieldSelector && `fields ${fieldSelector}`].filter(
    Boolean,
  );
  // A kind that is not built in may be a custom one: only `--cluster` knows.
  const nearest = known.kind === 'not-served' ? known.near[0] : undefined;
  const near = nearest === undefined ? '' : ` (a custom resource? Kubernetes itself has "${nearest}")`;
  return `${kind}${apiVersion === undefined ? '' : ` (${apiVersion})`}${near}, ${[where, ...selectors].join(', ')}`;
}

function describeHandler(chain: ChainConfig, { id, definition }: HandlerConfig): string {
  const own = id.slice(chain.name.length + 1);
  return `${own === definition.name ? own : `${own} (${definition.name})`}: ${definition.summary}`;
}
