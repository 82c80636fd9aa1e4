import type { Command } from 'commander';
import { assertCanStart } from '../app/trial.ts';
import { longestWaitMs } from '../chain/retry.ts';
import type { ChainConfig, Config, HandlerConfig, ResourceConfig, RetryConfig } from '../config/config.ts';
import { exposedFiles } from '../config/exposed-files.ts';
import { createLogger } from '../log.ts';
import { requestNamespaceOf, describeNamespaceScope, namespaceScopeFor } from '../namespaces.ts';
import { grantsOf, IDENTITY, needsLookups, type Grant } from '../rbac/grants.ts';
import { isAllowed, missingOf } from '../rbac/review.ts';
import { createApiClient } from '../source/api-client.ts';
import type { ApiClient } from '../source/api.ts';
import { resolveBuiltIn } from '../source/built-in-kinds.ts';
import { loadCredentials } from '../source/credentials.ts';
import { Discovery, type Resolution } from '../source/discovery.ts';
import { resourceName } from '../source/resource-path.ts';
import type { WatchRequest } from '../source/source.ts';
import { watchRequests } from '../watch-requests.ts';
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

/** Only the user knows which kinds the Events will be about. */
const LOOKUP_NOTE =
  '  Handlers look up the objects that Events are about: watchchain rbac --check --lookup pod,replicaset checks the kinds you name.\n';

/** `unknown`: the cluster could not say. */
type Verdict = 'ok' | 'missing' | 'refused' | 'unknown';

/** Exit code 1 if a kind is not served, or may not be listed and watched, or the cluster could not say. */
async function checkCluster(config: Config, io: CommandIo): Promise<number> {
  const credentials = await loadCredentials({ ...config.cluster, env: io.env });
  const api = createApiClient(credentials);
  try {
    const discovery = new Discovery(api, { signal: io.signal });
    io.stdout.write(`\ncluster ${credentials.clusterName} (${api.host})\n`);
    let code: number = EXIT.ok;
    let areKindsKnown = true;
    for (const request of watchRequests(config)) {
      const { verdict, text } = await checkAccess(request, discovery, api);
      io.signal.throwIfAborted();
      if (verdict !== 'ok') code = EXIT.failed;
      io.stdout.write(`  ${verdict.padEnd('missing'.length)}  ${text}\n`);
      if (verdict === 'missing' || verdict === 'unknown') areKindsKnown = false;
    }
    if (!areKindsKnown) return code;
    const refused = await missingOf(api, await otherGrants(config, discovery, credentials.namespace));
    for (const what of refused) io.stdout.write(`  refused  may not ${what}; grant it in a Role or ClusterRole\n`);
    if (needsLookups(config)) io.stdout.write(LOOKUP_NOTE);
    return refused.length > 0 ? EXIT.failed : code;
  } finally {
    await api.close();
  }
}

/** What handlers, the page and the Lease need besides the watches, leaving out what is optional. */
async function otherGrants(config: Config, discovery: Discovery, namespace = 'default'): Promise<readonly Grant[]> {
  const resolve = (kind: string, apiVersion: string | undefined) => discovery.resolve(kind, apiVersion);
  const grants = await grantsOf(config, { resolve, lookupKinds: [], namespace });
  const watched = new Set<string>();
  for (const { kind, apiVersion, namespace: scope } of watchRequests(config)) {
    const resolution = await resolve(kind, apiVersion);
    if (resolution.kind !== 'found') continue;
    const { group, resource } = resolution.resource;
    watched.add([group, resource, requestNamespaceOf(namespaceScopeFor(resolution.resource, scope))].join(' '));
  }
  const isWatched = ({ group, resource, namespace: scope }: Grant, verb: string) =>
    ['list', 'watch'].includes(verb) && watched.has([group, resource, scope].join(' '));
  return grants
    .filter(({ name }) => name !== IDENTITY.name)
    .map((grant) => ({ ...grant, verbs: grant.verbs.filter((verb) => !isWatched(grant, verb)) }));
}

async function checkAccess(
  request: WatchRequest,
  discovery: Discovery,
  api: ApiClient,
): Promise<{ readonly verdict: Verdict; readonly text: string }> {
  const resolution = await discovery.resolve(request.kind, request.apiVersion);
  if (resolution.kind !== 'found') {
    const verdict = resolution.kind === 'unsure' ? 'unknown' : 'missing';
    return { verdict, text: `${request.kind}: ${describeUnresolved(resolution)}` };
  }
  const { resource } = resolution;
  const scope = namespaceScopeFor(resource, request.namespace);
  const name = `${resourceName(resource)} ${describeNamespaceScope(scope)}`;
  const refused: string[] = [];
  for (const verb of ['list', 'watch']) {
    if (!(await isAllowed(api, { ...resource, namespace: requestNamespaceOf(scope) }, verb))) refused.push(verb);
  }
  if (refused.length > 0)
    return {
      verdict: 'refused',
      text: `${name}: may not ${refused.join(' and ')}; ${grantRemedyFor(resource, requestNamespaceOf(scope))}`,
    };
  return {
    verdict: 'ok',
    text: (await isAbsent(api, requestNamespaceOf(scope))) ? `${name}, which does not exist yet` : name,
  };
}

function grantRemedyFor({ namespaced }: { readonly namespaced: boolean }, namespace: string): string {
  if (namespace !== '') return 'grant it in a Role or ClusterRole';
  return `grant it in a ClusterRole${namespaced ? ', or set `namespaces` to those where a Role grants it' : ''}`;
}

/** Whether the namespace does not exist: a misspelt one is watched in vain. False if we may not get namespaces. */
async function isAbsent(api: ApiClient, namespace: string): Promise<boolean> {
  if (namespace === '') return false;
  const { status } = await api.request('GET', `/api/v1/namespaces/${encodeURIComponent(namespace)}`);
  return status === 404;
}

function describeUnresolved(resolution: Exclude<Resolution, { kind: 'found' }>): string {
  switch (resolution.kind) {
    case 'not-served': {
      const { near, mayBeServedLater, unwatched } = resolution;
      const later = mayBeServedLater ? ' (the service waits for it)' : '';
      if (unwatched !== undefined) return `the cluster serves ${unwatched}${later}`;
      return `the cluster does not serve it${near.length === 0 ? '' : `; near names: ${near.join(', ')}`}${later}`;
    }
    case 'ambiguous':
      return `several groups serve it, name one in apiVersion: ${resolution.candidates.join(', ')}`;
    case 'unsure':
      return resolution.reason;
  }
}
