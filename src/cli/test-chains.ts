import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { EVERYTHING } from '../interest.ts';
import { createChainRunner } from '../chain/runner.ts';
import { systemClock } from '../clock.ts';
import type { ChainConfig, Config } from '../config/config.ts';
import { createReceivers } from '../delivery/receivers.ts';
import { ConfigError } from '../errors.ts';
import { printable } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { ManifestReader } from '../source/manifest.ts';
import { createRedactor, type Redactor } from '../source/redact.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Store } from '../store/store.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { configFrom, loggerFrom, withConfigFlags, withLogFlags, type ConfigFlags, type LogFlags } from './options.ts';
import { rehearsed } from './rehearsal.ts';
import { readWatchEvents, type RecordedEvent } from './watch-events.ts';

type Flags = ConfigFlags & LogFlags;

export function testCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const command = program
    .command('test')
    .description('send recorded watch events through the chains: prints each verdict, sends nothing')
    .argument('<file>', 'from `kubectl get -w -o json --output-watch-events`; - for standard input')
    .allowExcessArguments(false);
  withLogFlags(withConfigFlags(command)).action((file: string, flags: Flags) => choose(() => test(file, flags, io)));
}

async function test(file: string, flags: Flags, io: CommandIo): Promise<number> {
  const config = await configFrom(flags, io);
  const bytes = file === '-' ? await buffer(io.stdin) : await read(file);
  const events = readWatchEvents(bytes, file);
  const store = await openSqliteStore({
    path: ':memory:',
    cluster: { id: 'test', name: config.cluster.name ?? 'test' },
  });
  try {
    const redactor = createRedactor(config.redact, randomBytes(32));
    const unmatched = await acceptAll(events, config, store, redactor);
    for (const chain of config.chains) await runChain(rehearsed(chain, io.stdout), store, flags, io);
    for (const { at, kind, key } of unmatched)
      io.stdout.write(printable(`${at}: ${kind} ${key} is watched by no chain`) + '\n');
    return EXIT.ok;
  } finally {
    await store.close();
  }
}

async function read(file: string): Promise<Buffer> {
  return readFile(file).catch((error: unknown) => {
    throw new ConfigError([`Cannot read the watch events: ${(error as Error).message}`], { cause: error });
  });
}

/** As a source would: in order, redacted, one scope per kind. Answers the events that no chain watches. */
async function acceptAll(
  events: readonly RecordedEvent[],
  config: Config,
  store: Store,
  redactor: Redactor,
): Promise<readonly RecordedEvent[]> {
  const scopes = new Map<string, number>();
  const unmatched: RecordedEvent[] = [];
  for (const event of events) {
    const { group, version, kind, type, body } = event;
    const chains = config.chains.filter((chain) => watches(chain, event)).map(({ name }) => name);
    if (chains.length === 0) {
      unmatched.push(event);
      continue;
    }
    const resource = `${kind.toLowerCase()}s`;
    const name = `${group}/${resource}/${chains.join(',')}`;
    let scope = scopes.get(name);
    if (scope === undefined) {
      // Chains that watch the same kind in different namespaces get what is theirs: a scope for each set of chains.
      const spec = {
        group,
        version,
        kind,
        resource,
        chains,
        namespace: chains.join(','),
        labelSelector: '',
        fieldSelector: '',
      };
      scope = (await store.openScope(spec)).id;
      scopes.set(name, scope);
    }
    const redact = redactor.forKind({ group, kind, resource, singular: kind.toLowerCase(), shortNames: [] });
    const manifest = new ManifestReader({ group, version, kind }, EVERYTHING, redactor.digester).read(
      body,
      0,
      body.length,
    );
    await store.accept({
      scope,
      observations: [
        {
          type: type === 'DELETED' ? 'gone' : 'seen',
          key: manifest.key,
          uid: manifest.uid,
          resourceVersion: manifest.resourceVersion,
          digest: manifest.digest(),
          body: type === 'DELETED' ? new Uint8Array() : redact(manifest.body()),
          managedFields: manifest.managedFields(),
        },
      ],
    });
  }
  return unmatched;
}

/** Without a cluster a name can only be compared with the kind, its plural and the well-known short names. */
function watches(chain: ChainConfig, { kind, key }: RecordedEvent): boolean {
  const namespace = key.includes('/') ? key.slice(0, key.indexOf('/')) : '';
  const names = namesOf(kind);
  return chain.resources.some((resource) => {
    const inScope = resource.namespaces.length === 0 || resource.namespaces.includes(namespace);
    return inScope && names.includes((resource.kind.split('.')[0] ?? '').toLowerCase());
  });
}

const SHORT_NAMES: Readonly<Record<string, string>> = {
  configmap: 'cm',
  customresourcedefinition: 'crd',
  cronjob: 'cj',
  daemonset: 'ds',
  deployment: 'deploy',
  endpoints: 'ep',
  event: 'ev',
  horizontalpodautoscaler: 'hpa',
  ingress: 'ing',
  namespace: 'ns',
  networkpolicy: 'netpol',
  node: 'no',
  persistentvolume: 'pv',
  persistentvolumeclaim: 'pvc',
  pod: 'po',
  poddisruptionbudget: 'pdb',
  replicaset: 'rs',
  service: 'svc',
  serviceaccount: 'sa',
  statefulset: 'sts',
  storageclass: 'sc',
};

function namesOf(kind: string): readonly (string | undefined)[] {
  const name = kind.toLowerCase();
  return [name, `${name}s`, `${name}es`, name.replace(/y$/, 'ies'), SHORT_NAMES[name]];
}

async function runChain(chain: ChainConfig, store: Store, flags: Flags, io: CommandIo): Promise<void> {
  const [log, metrics] = [loggerFrom(flags, io), createMetrics()];
  const receivers = createReceivers({ clock: systemClock, metrics, log, env: io.env });
  const common = {
    store,
    receivers,
    metrics,
    log,
    clock: systemClock,
    clusterName: 'test',
    stdout: new PassThrough().resume(),
  };
  const runner = createChainRunner({ chain, ...common });
  try {
    await runner.start();
    await runner.idle();
  } finally {
    await runner.stop(0);
    await receivers.close();
  }
}
