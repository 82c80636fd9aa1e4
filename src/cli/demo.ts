import { rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { createApp, type App } from '../app.ts';
import { loadHandler } from '../chain/load.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { createLogger } from '../log.ts';
import { printable } from '../text/printable.ts';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { fasterClock, LivingCluster } from '../testing/living-cluster.ts';
import { startReceiver, type CapturedReceiver, type CapturedRequest } from '../testing/receiver.ts';
import { unlessAborted } from '../until-aborted.ts';
import { EXIT, takesColor, type Action, type CommandIo } from './command.ts';
import { renderMessage, styled, type Attachment, type TerminalStyle } from './slack-terminal.ts';

interface Flags {
  readonly forever?: true;
  readonly speed: number;
}

/** Columns if the output is not a terminal. */
const PLAIN_COLUMNS = 100;

/** A story of one minute has no time for the usual 30 s. */
const HOLD_DOWN_MS = 3_000;

/** The demo's configuration, read like any other. */
const CONFIG = `
[[resource]]
kind = "deployment"
[[resource]]
kind = "service"
[[resource]]
kind = "configmap"
[[resource]]
kind = "secret"

[[handler]]
name = "diff"
[[handler]]
name = "slack"
webhookURL = "\${DEMO_SLACK}"
clusterName = "demo"
messagesPerSecond = 0

[[chain]]
name = "pods that fail"
  [[chain.resource]]
  kind = "pod"
  [[chain.handler]]
  name = "podAlerts"
  holdDown = "\${DEMO_HOLD_DOWN}"
  [[chain.handler]]
  name = "slack"
  webhookURL = "\${DEMO_SLACK}"
  clusterName = "demo"
  messagesPerSecond = 0

[[chain]]
name = "cluster upgrades"
  [[chain.resource]]
  kind = "event"
  [[chain.handler]]
  name = "match"
  involvedKind = "^Cluster$"
  reason = "^ClusterIsUpdating$"
  [[chain.handler]]
  name = "slack"
  webhookURL = "\${DEMO_SLACK}"
  clusterName = "demo"
  messagesPerSecond = 0
`;

export function demoCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  program
    .command('demo')
    .description('show what watchchain does, on a cluster inside this process: nothing else is needed')
    .allowExcessArguments(false)
    .option('--forever', 'repeat the story until Ctrl-C')
    .option('--speed <factor>', 'speed of the story: 1 takes a minute, 2 half a minute', positiveNumber, 1)
    .action((flags: Flags) => choose(() => demo(flags, io)));
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a number above 0.');
}

/** The real service on an embedded cluster, with a Slack that shows what it gets. Leaves nothing behind. */
async function demo(flags: Flags, io: CommandIo): Promise<number> {
  const looks: TerminalStyle = {
    color: takesColor(io.stdout, io.env),
    columns: io.stdout.columns ?? PLAIN_COLUMNS,
  };
  const show = (lines: readonly string[]): void => void io.stdout.write(`${lines.join('\n')}\n`);

  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'watchchain-demo-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  // Then the process ends at once, without the cleanup: its reader is gone.
  io.stdout.prependListener('error', () => rmSync(folder, { recursive: true, force: true }));
  const clock = fasterClock(flags.speed);
  const server = await startApiServer({ clock });
  cleanup.defer(() => server.close());
  const slack = await startReceiver((request) => {
    show(['', ...renderMessage(attachmentIn(request), looks)]);
    return {};
  });
  cleanup.defer(() => slack.close());

  const narrate = (what: string): void => show(['', `${styled('❯', 'cyan', looks)} ${styled(what, 'bold', looks)}`]);
  const cluster = new LivingCluster(server, { clock, narrate });
  cluster.furnish();
  const writes = countWrites(server);

  const log = createLogger({ level: 'warn', format: 'text', color: looks.color, stream: io.stderr });
  const env = {
    DEMO_SLACK: `${slack.url}/services/demo`,
    DEMO_HOLD_DOWN: `${Math.ceil(HOLD_DOWN_MS / flags.speed)}ms`,
  };
  const config = await demoConfig(server, folder, env);
  const app = createApp({ config, log, stdout: io.stdout, env, storeFile: ':memory:' });
  cleanup.defer(() => app.stop());
  show(introduction(server, flags));
  const ended = play({ cluster, app, slack, forever: flags.forever === true }, io.signal);
  await Promise.race([ended, app.failed]);
  // Drains: what is under way is still delivered.
  await app.stop();
  show(['', ...conclusion(writes(), slack.requests.length, looks)]);
  return EXIT.ok;
}

interface Stage {
  readonly cluster: LivingCluster;
  readonly app: App;
  readonly slack: CapturedReceiver;
  readonly forever: boolean;
}

/** Plays until the story is over, or the process is asked to stop. */
async function play({ cluster, app, slack, forever }: Stage, signal: AbortSignal): Promise<void> {
  try {
    await app.start();
    await app.idle();
    for (let more = true; more; more = forever) await cluster.play(signal);
    await app.idle();
    // Every failure in the story is resolved in it.
    while (countOpenAlerts(slack) > 0) await unlessAborted(slack.waitFor(slack.requests.length + 1), signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** How many alerts Slack got whose end it has not got yet. */
function countOpenAlerts({ requests }: CapturedReceiver): number {
  const countTitled = (word: string) => requests.filter((request) => attachmentIn(request).title.startsWith(word));
  return countTitled('FAILURE').length - countTitled('RESOLVED').length;
}

async function demoConfig(server: ApiServer, folder: string, env: NodeJS.ProcessEnv): Promise<Config> {
  const kubeconfig = await server.writeKubeconfig(join(folder, 'kubeconfig'));
  const file = join(folder, 'config.toml');
  await writeFile(file, CONFIG);
  return loadConfig(file, { env, loadHandler, overrides: { kubeconfig } });
}

/** Counts the writes to the cluster from now on, by its resourceVersion. */
function countWrites(server: ApiServer): () => number {
  const before = server.resourceVersion;
  return () => server.resourceVersion - before;
}

function attachmentIn({ body }: CapturedRequest): Attachment {
  const { attachments } = JSON.parse(body) as { readonly attachments: readonly [Attachment] };
  return attachments[0];
}

/** No line is wider than a terminal of 80 columns. */
function introduction(server: ApiServer, { forever, speed }: Flags): string[] {
  const length =
    forever === true ? 'It runs until Ctrl-C' : `It takes about ${Math.ceil(60 / speed)} s; Ctrl-C ends it`;
  return [
    'A small shop now runs on a Kubernetes API server inside this process,',
    `at ${server.url}. watchchain watches it as it would watch yours.`,
    'Below: what happens there, and each message that Slack gets.',
    `${length}.`,
  ];
}

function conclusion(writes: number, messages: number, looks: TerminalStyle): string[] {
  const command = (text: string): string => `  ${styled(printable(text), 'cyan', looks)}`;
  return [
    `${writes} writes in the cluster, ${messages} messages:`,
    'the rest was noise, or not what the configuration asks for.',
    'On your own cluster: say in config.toml what to watch and where to send it, then',
    command('export SLACK_WEBHOOK_URL=https://hooks.slack.com/services/...'),
    command('watchchain check --cluster && watchchain run      (from a checkout: make run)'),
  ];
}
