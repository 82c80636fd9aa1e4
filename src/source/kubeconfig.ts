/**
 * Kubeconfig files: found, merged and read by kubectl's rules.
 *
 * Only the module of @kubernetes/client-node that knows the format is loaded (4 MB, 4 ms); the whole package costs 86 MB
 * of RSS and half a second, for an API client we do not use. Only the older `auth-provider` users (OIDC, GCP, Azure) need it.
 */
import { readFile, stat } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import {
  ActionOnInvalid,
  newClusters,
  newContexts,
  newUsers,
  type Cluster,
  type Context,
  type User,
} from '@kubernetes/client-node/dist/config_types.js';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { ConfigError, toError } from '../errors.ts';
import { FreshFile } from '../fresh-file.ts';
import { isObject } from '../json.ts';
import { didYouMean } from '../text/near.ts';
import type { Access } from './access.ts';
import { ExecIdentity, execEntry } from './exec-plugin.ts';
import { basic, bearer, clientCertificate, inline, material, type Identity, type Material } from './identity.ts';
import { ProviderIdentity } from './provider-identity.ts';

/** Without empty fields, which mean the same as absent ones, as in kubectl: `proxy-url: ""`. */
function withoutEmptyFields(entry: unknown): unknown {
  if (!isObject(entry)) return entry ?? {};
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== null && value !== ''));
}

/** Fields of a user that client-node's types omit or do not check: `token: 12345` is a number. */
const extraUserFields = z.looseObject({
  token: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  tokenFile: z.string().optional(),
  as: z.string().optional(),
  'as-uid': z.string().optional(),
  'as-groups': z.array(z.string()).optional(),
  'as-user-extra': z.record(z.string(), z.array(z.string())).optional(),
});
type NamedUser = User & { readonly more: z.output<typeof extraUserFields> };

/** What a cluster says to credential plug-ins: the extension of that name. The other extensions are for other programs. */
const EXEC_EXTENSION = 'client.authentication.k8s.io/exec';
const extraClusterFields = z.looseObject({
  extensions: z
    .array(z.looseObject({ name: z.string(), extension: z.unknown() }))
    .optional()
    .catch(undefined),
});
type NamedCluster = Cluster & { readonly execConfig: unknown };

/** The parts of the file that we read; the rest is for other programs. */
const kubeconfigFile = z.object({
  clusters: z.array(z.looseObject({ cluster: z.preprocess(withoutEmptyFields, extraClusterFields) })).nullish(),
  contexts: z.array(z.unknown()).nullish(),
  users: z
    .array(z.looseObject({ name: z.string(), user: z.preprocess(withoutEmptyFields, extraUserFields) }))
    .nullish(),
  'current-context': z.string().nullish(),
});

const SERVER_SCHEMES = ['http', 'https'];
const PROXY_SCHEMES = ['http', 'https', 'socks5'];
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

interface Kubeconfig {
  readonly files: readonly string[];
  readonly currentContext: string | undefined;
  readonly clusters: readonly NamedCluster[];
  readonly contexts: readonly Context[];
  readonly users: readonly NamedUser[];
}

interface KubeconfigOptions {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

export async function kubeconfigAccess(options: KubeconfigOptions): Promise<Access> {
  const first = await readAccess(options);
  let { written } = first;
  return {
    ...first.access,
    renew: async () => {
      // A pipe is empty by now, and opening it might wait for a writer for ever.
      const found = await Promise.all(first.files.map((file) => stat(file)));
      if (!found.every((one) => one.isFile())) return undefined;
      // The context of the start: `kubectl config use-context` in another window is not meant for us.
      const next = await readAccess({ ...options, context: first.context });
      // A token for another server is not for the one that we talk to.
      if (next.written === written || next.access.server.href !== first.access.server.href) return undefined;
      written = next.written;
      return next.access;
    },
  };
}

/** `written`: the entries of the cluster and the user, to tell whether they changed. */
async function readAccess(options: KubeconfigOptions): Promise<{
  readonly access: Access;
  readonly files: readonly string[];
  readonly context: string;
  readonly written: string;
}> {
  const config = merge(await Promise.all((await findFiles(options)).map(readKubeconfig)));
  const context = chooseContext(config, options.context);
  const where = `of context "${context.name}" in ${config.files.join(', ')}`;
  const cluster = config.clusters.find(({ name }) => name === context.cluster);
  if (cluster === undefined)
    throw new ConfigError([`Cluster "${context.cluster}" ${where} is not defined there, or has no server`]);
  const user = config.users.find(({ name }) => name === context.user);
  if (user === undefined && context.user)
    throw new ConfigError([`User "${context.user}" ${where} is not defined there`]);
  const access = {
    server: parseUrl(withScheme(cluster, user), `The server ${where}`, SERVER_SCHEMES),
    clusterName: cluster.name,
    namespace: context.namespace,
    ca: materialOf(cluster.caData, cluster.caFile, `The certificate-authority-data ${where}`),
    identities: user === undefined ? [] : identitiesOf(user, cluster, options.env, where),
    skipTlsVerify: cluster.skipTLSVerify,
    tlsServerName: cluster.tlsServerName,
    proxy:
      cluster.proxyUrl === undefined ? undefined : parseUrl(cluster.proxyUrl, `The proxy-url ${where}`, PROXY_SCHEMES),
  };
  return { access, files: config.files, context: context.name, written: JSON.stringify([cluster, user]) };
}

/** Missing files are skipped, as in kubectl; at least one must exist. */
async function findFiles({ kubeconfig, env }: KubeconfigOptions): Promise<readonly string[]> {
  const requested = kubeconfig ?? (env['KUBECONFIG'] || undefined);
  const defaults = env['HOME'] ? [join(env['HOME'], '.kube', 'config')] : [];
  const paths = requested === undefined ? defaults : requested.split(delimiter).filter((path) => path !== '');
  const exists = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        // A file named by option may be a pipe; if it is anything unreadable, reading it says so.
        (found) => found.isFile() || kubeconfig !== undefined,
        () => false,
      ),
    ),
  );
  const files = paths.filter((_, index) => exists[index]);
  if (files.length > 0) return files;
  const from = kubeconfig === undefined && requested !== undefined ? ' (from KUBECONFIG)' : '';
  const pod = env['KUBERNETES_SERVICE_HOST'] ? '' : '; and this is not a pod (KUBERNETES_SERVICE_HOST is not set)';
  const nothing = requested === undefined ? '~/.kube/config, but HOME is not set' : 'nothing, as the list is empty';
  throw new ConfigError([
    `No kubeconfig: looked for ${paths.join(', ') || nothing}${from}${pod}` +
      '; name one with --kubeconfig or KUBECONFIG',
  ]);
}

async function readKubeconfig(file: string): Promise<Kubeconfig> {
  try {
    // By default the parser prints a warning with the line of a password that begins with "!".
    const options = { merge: true, prettyErrors: true, logLevel: 'error' } as const;
    const raw = kubeconfigFile.parse(parse(await readFile(file, 'utf8'), options) ?? {});
    const lenient = { onInvalidEntry: ActionOnInvalid.FILTER };
    const at = (path: string | undefined) => (path ? resolve(dirname(file), path) : undefined);
    return {
      files: [file],
      currentContext: raw['current-context'] || undefined,
      clusters: newClusters(raw.clusters, lenient).map((cluster) => {
        const own = raw.clusters?.find(({ name }) => name === cluster.name)?.cluster.extensions;
        const execConfig = own?.find(({ name }) => name === EXEC_EXTENSION)?.extension;
        return { ...withPaths(cluster, { caFile: at(cluster.caFile) }), execConfig };
      }),
      contexts: newContexts(raw.contexts, lenient),
      users: newUsers(raw.users, lenient).map((user) => {
        const more = raw.users?.find(({ name }) => name === user.name)?.user ?? {};
        const paths = {
          certFile: at(user.certFile),
          keyFile: at(user.keyFile),
          exec: withCommand(user.exec, dirname(file)),
        };
        return { ...withPaths(user, paths), more: withPaths(more, { tokenFile: at(more.tokenFile) }) };
      }),
    };
  } catch (cause) {
    throw new ConfigError([`Cannot read kubeconfig ${file}: ${reasonOf(cause)}`]);
  }
}

/** Drops what the parser quotes after a colon in its message, which may be a token. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof YAMLParseError)
    return `${thrown.message.replace(/ at line \d.*$|: .*$/s, '')} in line ${thrown.linePos?.[0].line ?? 1}`;
  // The only other error of the parser: a token or a password that begins with "*".
  if (thrown instanceof ReferenceError) return 'a value that begins with * needs quotes around it';
  return thrown instanceof z.ZodError ? issuesOf(thrown) : toError(thrown).message;
}

function issuesOf({ issues }: z.ZodError): string {
  return issues
    .map(({ path, message }) => (path.length === 0 ? message : `${z.core.toDotPath(path)}: ${message}`))
    .join('; ');
}

/** The first file to define something wins, as in kubectl. */
function merge(configs: readonly Kubeconfig[]): Kubeconfig {
  const firstByName = <T extends { readonly name: string }>(all: readonly T[]): readonly T[] => [
    ...new Map(all.toReversed().map((one) => [one.name, one])).values(),
  ];
  return {
    files: configs.flatMap(({ files }) => files),
    currentContext: configs.find(({ currentContext }) => currentContext !== undefined)?.currentContext,
    clusters: firstByName(configs.flatMap(({ clusters }) => clusters)),
    contexts: firstByName(configs.flatMap(({ contexts }) => contexts)),
    users: firstByName(configs.flatMap(({ users }) => users)),
  };
}

function chooseContext({ files, contexts, currentContext }: Kubeconfig, requested: string | undefined): Context {
  const name = requested ?? currentContext;
  const context = contexts.find((candidate) => candidate.name === name);
  if (context !== undefined) return context;
  const names = contexts.map((candidate) => candidate.name).toSorted();
  const known = names.length === 0 ? 'it has none' : `it has ${names.map((known) => `"${known}"`).join(', ')}`;
  throw new ConfigError([
    name === undefined
      ? `Kubeconfig ${files.join(', ')} has no current context; choose one with --context: ${known}`
      : `Context "${name}" is not in kubeconfig ${files.join(', ')}: ${known}${didYouMean(name, names)}`,
  ]);
}

/** Precedence as in client-go: a token file over a token over a plug-in; a certificate is used along with any of them. */
function identitiesOf(
  user: NamedUser,
  cluster: NamedCluster,
  env: NodeJS.ProcessEnv,
  where: string,
): readonly Identity[] {
  const cert = materialOf(user.certData, user.certFile, `The client-certificate-data of user "${user.name}" ${where}`);
  const key = materialOf(user.keyData, user.keyFile, `The client-key-data of user "${user.name}" ${where}`);
  if ((cert === undefined) !== (key === undefined))
    throw new ConfigError([`User "${user.name}" ${where} needs both a client certificate and its key`]);
  const identities: Identity[] = cert === undefined || key === undefined ? [] : [clientCertificate(cert, key)];
  if (user.more.tokenFile !== undefined) identities.push(bearer(new FreshFile(user.more.tokenFile)));
  else if (user.token) identities.push(bearer(inline(user.token)));
  else if (user.exec) identities.push(execIdentity(user, cluster, env, where));
  else if (user.authProvider) identities.push(new ProviderIdentity(user, cluster));
  else if (user.username) identities.push(basic(user.username, user.password ?? ''));
  return [...identities, ...impersonation(user, where)];
}

/** Node decodes what it can: nothing may be left, and then we would trust the default CAs, or be anonymous. */
function materialOf(data: string | undefined, file: string | undefined, what: string): Material | undefined {
  if (data !== undefined && !BASE64.test(data.replace(/\s/g, ''))) throw new ConfigError([`${what} must be base64`]);
  return material(data, file);
}

function execIdentity(user: NamedUser, cluster: NamedCluster, env: NodeJS.ProcessEnv, where: string): Identity {
  const parsed = execEntry.safeParse(user.exec);
  if (!parsed.success) {
    throw new ConfigError([`The exec plug-in of user "${user.name}" ${where}: ${issuesOf(parsed.error)}`]);
  }
  if (parsed.data.interactiveMode === 'Always')
    throw new ConfigError([
      `The exec plug-in of user "${user.name}" ${where} needs a terminal (interactiveMode: Always), which a service does not have`,
    ]);
  // `process.permission` exists only under Node's permission model.
  if ('permission' in process && !process.permission.has('child')) {
    throw new ConfigError([
      `User "${user.name}" ${where} needs the program "${parsed.data.command}", which this process may not start: run with --allow-child-process, or SANDBOX= with make`,
    ]);
  }
  const info = {
    server: cluster.server,
    'tls-server-name': cluster.tlsServerName,
    'insecure-skip-tls-verify': cluster.skipTLSVerify,
    'proxy-url': cluster.proxyUrl,
    config: cluster.execConfig,
  };
  return new ExecIdentity({ entry: parsed.data, cluster: info, ca: material(cluster.caData, cluster.caFile), env });
}

/** `as`, `as-uid`, `as-groups` and `as-user-extra`: never dropped, since we would act with more rights without them. */
function impersonation({ name, more }: NamedUser, where: string): readonly Identity[] {
  const { as, 'as-uid': uid, 'as-groups': groups, 'as-user-extra': extra } = more;
  if (as === undefined) {
    if (uid === undefined && !groups?.length && !Object.keys(extra ?? {}).length) return [];
    throw new ConfigError([`User "${name}" ${where} impersonates a uid, groups or extra fields, but no user ("as")`]);
  }
  const headers: Record<string, string | string[]> = { 'impersonate-user': as };
  if (uid !== undefined) headers['impersonate-uid'] = uid;
  if (groups?.length) headers['impersonate-group'] = groups;
  for (const [field, values] of Object.entries(extra ?? {}))
    headers[`impersonate-extra-${encodeURIComponent(field)}`] = values;
  return [{ headers: () => Promise.resolve(headers) }];
}

/** The server: without a scheme, as for `kubectl proxy`, it is plain HTTP unless something in the file is for TLS, as in client-go. */
function withScheme({ server, caData, caFile, skipTLSVerify }: NamedCluster, user: NamedUser | undefined): string {
  if (server.includes('://')) return server;
  const isForTls = [caData, caFile, skipTLSVerify, user?.certData, user?.certFile].some(Boolean);
  return `${isForTls ? 'https' : 'http'}://${server}`;
}

function parseUrl(text: string, what: string, schemes: readonly string[]): URL {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`);
  if (url !== null && schemes.includes(url.protocol.slice(0, -1))) return url;
  // A URL that may contain a password is not shown.
  const shown = text.includes('@') ? '' : `: current value is "${text}"`;
  throw new ConfigError([`${what} must be a URL${url === null ? '' : ` with ${schemes.join(', ')}`}${shown}`]);
}

/** As in client-go, a relative path of a plug-in is relative to the kubeconfig; a bare name is looked up in PATH. */
function withCommand(exec: unknown, folder: string): unknown {
  if (typeof exec !== 'object' || exec === null || !('command' in exec)) return exec;
  const { command } = exec;
  if (typeof command !== 'string' || isAbsolute(command) || !/[/\\]/.test(command)) return exec;
  return { ...exec, command: resolve(folder, command) };
}

/** A copy of `value` with the defined ones of `paths`. */
function withPaths<T extends object>(value: T, paths: { readonly [K in keyof T]?: T[K] | undefined }): T {
  return { ...value, ...Object.fromEntries(Object.entries(paths).filter(([, path]) => path !== undefined)) };
}
