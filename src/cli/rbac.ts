import { InvalidArgumentError, Option, type Command } from 'commander';
import { stringify } from 'yaml';
import { grantsOf, needsLookups, type Grant } from '../rbac/grants.ts';
import { reviewGrants } from '../rbac/review.ts';
import { rolesFor, type Account } from '../rbac/roles.ts';
import { createApiClient } from '../source/api-client.ts';
import type { ApiClient } from '../source/api.ts';
import { loadCredentials } from '../source/credentials.ts';
import { Discovery } from '../source/discovery.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { configFrom, withConfigFlags, withLeaseFlag, type ConfigFlags, type LeaseFlag } from './options.ts';

type Flags = ConfigFlags &
  LeaseFlag & {
    readonly serviceAccount: Account;
    readonly lookup: readonly string[];
    readonly cluster?: boolean;
    readonly check?: boolean;
  };

export function rbacCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const command = program
    .command('rbac')
    .description('print the smallest set of roles that the configuration needs, as manifests')
    .allowExcessArguments(false)
    .addOption(
      new Option('--service-account <account>', 'the ServiceAccount to bind them to, as NAMESPACE/NAME')
        .argParser(accountOf)
        .default(accountOf('watchchain/watchchain'), 'watchchain/watchchain'),
    )
    .addOption(
      new Option(
        '--lookup <kinds>',
        'kinds of the objects that Events are about, and of their owners, if a handler asks for their labels or owners; namespace, if one asks for namespaceLabels',
      )
        .argParser((kinds) => kinds.split(',').flatMap((kind) => kind.trim() || []))
        .default([], 'none'),
    )
    .option(
      '--cluster',
      "ask the cluster for the resource names of kinds; without it, only Kubernetes' own kinds are known",
    )
    .option('--check', 'instead of printing roles, ask the cluster which rights we lack, and which we do not need');
  withLeaseFlag(withConfigFlags(command)).action((flags: Flags) => choose(() => rbac(flags, io)));
}

function accountOf(text: string): Account {
  const [namespace = '', name = '', ...rest] = text.split('/');
  if (namespace === '' || name === '' || rest.length > 0)
    throw new InvalidArgumentError('Expected NAMESPACE/NAME, as in watchchain/watchchain.');
  return { namespace, name };
}

/** Exit code 1 if a permission is missing; excess ones are only reported. */
async function rbac(flags: Flags, io: CommandIo): Promise<number> {
  const config = await configFrom(flags, io);
  if (needsLookups(config) && flags.lookup.length === 0)
    io.stderr.write(
      'watchchain: a handler asks for labels or owners of other objects, or for labels of namespaces: name their kinds, as in --lookup pod,replicaset,namespace\n',
    );
  const given = { lookupKinds: flags.lookup, namespace: flags.serviceAccount.namespace };
  if (flags.cluster !== true && flags.check !== true) {
    print(await grantsOf(config, { discovery: undefined, ...given }), flags, io);
    return EXIT.ok;
  }
  const credentials = await loadCredentials({ ...config.cluster, env: io.env });
  const api = createApiClient(credentials);
  try {
    const discovery = new Discovery(api, { signal: io.signal });
    if (flags.check === true) {
      // Checks our own permissions, whatever account the roles are for.
      const { namespace = 'default' } = credentials;
      return await check(await grantsOf(config, { discovery, ...given, namespace }), api, io);
    }
    print(await grantsOf(config, { discovery, ...given }), flags, io);
    return EXIT.ok;
  } finally {
    await api.close();
  }
}

function print(grants: readonly Grant[], { serviceAccount }: Flags, io: CommandIo): void {
  const manifests = rolesFor(grants, serviceAccount);
  io.stdout.write(manifests.map((manifest) => stringify(manifest, { lineWidth: 0 })).join('---\n'));
}

async function check(grants: readonly Grant[], api: ApiClient, io: CommandIo): Promise<number> {
  const { missing, excessive, incomplete } = await reviewGrants(api, grants);
  const lines = [
    ...missing.map((what) => `missing   ${what}`),
    ...excessive.map((what) => `too much  ${what}`),
    ...(incomplete ? ['The cluster cannot list all of our rules: more of them may be too much.'] : []),
    ...(missing.length + excessive.length === 0 ? ['The rights are exactly what the configuration needs.'] : []),
  ];
  io.stdout.write(lines.map((line) => `${line}\n`).join(''));
  return missing.length === 0 ? EXIT.ok : EXIT.failed;
}
