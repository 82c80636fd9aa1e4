/** `check --cluster`: asks the cluster whether it serves what the configuration watches, and allows what it needs. */
import type { Config } from '../config/config.ts';
import { requestNamespaceOf, describeNamespaceScope, namespaceScopeFor } from '../namespaces.ts';
import { grantsOf, IDENTITY, needsLookups, type Grant } from '../rbac/grants.ts';
import { isAllowed, missingOf } from '../rbac/review.ts';
import { createApiClient } from '../source/api-client.ts';
import type { ApiClient } from '../source/api.ts';
import { loadCredentials } from '../source/credentials.ts';
import { Discovery, type Resolution } from '../source/discovery.ts';
import { resourceName } from '../source/resource-path.ts';
import type { WatchRequest } from '../source/source.ts';
import { watchRequests } from '../app/watch-requests.ts';
import { EXIT, type CommandIo } from './command.ts';

/** Only the user knows which kinds the Events will be about. */
const LOOKUP_NOTE =
  '  Handlers look up the objects that Events are about: watchchain rbac --check --lookup pod,replicaset checks the kinds you name.\n';

/** `unknown`: the cluster could not say. */
type Verdict = 'ok' | 'missing' | 'refused' | 'unknown';

/** Exit code 1 if a kind is not served, or may not be listed and watched, or the cluster could not say. */
export async function checkCluster(config: Config, io: CommandIo): Promise<number> {
  const credentials = await loadCredentials({ ...config.cluster, env: io.env });
  const api = createApiClient(credentials);
  try {
    const discovery = new Discovery(api, { signal: io.signal });
    io.stdout.write(`\ncluster ${credentials.clusterName} (${api.host})\n`);
    let code: number = EXIT.ok;
    let areKindsKnown = true;
    /** By reason, which is mostly the same for all. */
    const unknown = new Map<string, Set<string>>();
    for (const request of watchRequests(config)) {
      const { verdict, text } = await checkAccess(request, discovery, api);
      io.signal.throwIfAborted();
      if (verdict !== 'ok') code = EXIT.failed;
      if (verdict === 'missing' || verdict === 'unknown') areKindsKnown = false;
      if (verdict === 'unknown') unknown.set(text, (unknown.get(text) ?? new Set()).add(request.kind));
      else io.stdout.write(`  ${verdict.padEnd('missing'.length)}  ${text}\n`);
    }
    for (const [reason, kinds] of unknown) io.stdout.write(`  unknown  ${[...kinds].join(', ')}: ${reason}\n`);
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
  const grants = await grantsOf(config, { discovery, lookupKinds: [], namespace });
  const watched = new Set<string>();
  for (const { kind, apiVersion, namespace: scope } of watchRequests(config)) {
    const resolution = await discovery.resolve(kind, apiVersion);
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

/** The text of `unknown` is the reason alone. */
async function checkAccess(
  request: WatchRequest,
  discovery: Discovery,
  api: ApiClient,
): Promise<{ readonly verdict: Verdict; readonly text: string }> {
  const resolution = await discovery.resolve(request.kind, request.apiVersion);
  if (resolution.kind === 'unsure') return { verdict: 'unknown', text: resolution.reason };
  if (resolution.kind !== 'found')
    return { verdict: 'missing', text: `${request.kind}: ${describeUnresolved(resolution)}` };
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

function describeUnresolved(resolution: Exclude<Resolution, { kind: 'found' | 'unsure' }>): string {
  switch (resolution.kind) {
    case 'not-served': {
      const { near, mayBeServedLater, unwatched } = resolution;
      const later = mayBeServedLater ? ' (the service waits for it)' : '';
      if (unwatched !== undefined) return `the cluster serves ${unwatched}${later}`;
      return `the cluster does not serve it${near.length === 0 ? '' : `; near names: ${near.join(', ')}`}${later}`;
    }
    case 'ambiguous':
      return `several groups serve it, name one in apiVersion: ${resolution.candidates.join(', ')}`;
  }
}
