/** What the pages show works: their commands succeed on a state with a history, and their configurations are valid. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { loadHandler } from '../src/chain/load.ts';
import { runCommandLine } from '../src/cli/command-line.ts';
import { loadConfig } from '../src/config/load.ts';
import { deployment } from '../test/e2e/cluster.ts';
import { kwatchmanConfig } from '../test/e2e/main-job.ts';
import { World } from '../test/e2e/world.ts';
import { until } from '../test/until.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (page: string): Promise<string> => readFile(join(ROOT, page), 'utf8');
const PAGES = [
  'README.md',
  ...(await readdir(import.meta.dirname)).filter((file) => file.endsWith('.md')).map((file) => `docs/${file}`),
];

/** These pages have their own tests, which run what they show. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['docs/plugins.md', 'docs/plugins.test.ts'],
  ['docs/page.md', 'test/pod-watcher/environment.test.ts'],
]);

function blocks(page: string, language: string): readonly string[] {
  return [...page.matchAll(new RegExp(`^(\`{3,})${language}\\n([^]*?)^\\1$`, 'gm'))].map(([, , block = '']) => block);
}

/** The commands of a page, without comments, pipes and redirections. */
function commandsIn(page: string): readonly string[] {
  return blocks(page, 'sh').flatMap((block) =>
    [...block.matchAll(/^watchchain ([^\n#|>]+)/gm)].map(([, command = '']) => command.trim()),
  );
}

/** Splits like a shell: quotes keep blanks together. */
function words(command: string): readonly string[] {
  return [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '');
}

/** The pages use ids up to this for changes and dead letters. */
const OBJECTS = 42;
const nameOf = (n: number): string => (n === 0 ? 'web' : `web-${n}`);
const EVENT_EXPORTER = `route:
  routes:
    - match:
        - receiver: dump
receivers:
  - name: dump
    stdout: {}
`;

/** A cluster, and the state of a service that could not deliver any of its changes. */
async function told(): Promise<World> {
  const world = await World.start(() => ({ status: 400 }));
  for (let n = 0; n < OBJECTS; n++) world.server.create(deployment(nameOf(n), 'nginx', 1));
  const config = kwatchmanConfig(world.slack.url, ['deployment']);
  await using running = await world.run({ config: `[state]\npath = "state"\n${config}`, keepState: true });
  // Within the second of the creation another write by the same manager would leave no trace.
  for (let n = 0; n < OBJECTS; n++) world.server.update(deployment(nameOf(n), 'nginx', 2), { manager: 'kubectl-edit' });
  await until('the dead letters', async () => (await running.app.store.balances())[0]?.dead === OBJECTS);
  await world.workdir.write('their.yaml', EVENT_EXPORTER);
  return world;
}

/** Runs a command to its end, or, if it would run forever, until it has printed something. */
async function run(command: string, world: World): Promise<{ readonly code: number; readonly output: string }> {
  const argv = words(command).map((word) =>
    /^(config\.toml|their\.yaml)$/.test(word) ? world.workdir.file(word) : word,
  );
  const isEndless = argv[0] === 'run' || argv.includes('-f');
  if (argv[0] === 'run') argv.push('--listen', 'off', '--state', world.workdir.file('state-of-run'));
  // As if run in the configuration's folder.
  if (argv[0] !== 'import' && !argv.includes('-c')) argv.push('-c', world.workdir.file('config.toml'));
  const env = { HOME: world.workdir.path, KUBECONFIG: world.workdir.file('kubeconfig') };
  const stopping = new AbortController();
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const said = [text(stdout), text(stderr)];
  if (isEndless) for (const stream of [stdout, stderr]) stream.once('data', () => stopping.abort('SIGTERM'));
  const code = await runCommandLine({ argv, env, stdin, stdout, stderr, signal: stopping.signal });
  stdout.end();
  stderr.end();
  return { code, output: (await Promise.all(said)).join('') };
}

describe('the commands of', () => {
  let world: World;
  before(async () => {
    world = await told();
  });
  after(() => world[Symbol.asyncDispose]());

  for (const page of PAGES.filter((one) => !ELSEWHERE.has(one))) {
    test(page, async () => {
      for (const command of commandsIn(await read(page))) {
        const { code, output } = await run(command, world);
        assert.equal(code, 0, `watchchain ${command}\n${output}`);
        assert.notEqual(output, '', `watchchain ${command} says something`);
      }
    });
  }
});

/** Completes a block to a whole configuration. */
function completed(block: string): string {
  // The options, or part of the options, of a handler.
  if (/^(message =|\[handler\.)/.test(block)) {
    const kind = block.startsWith('message') ? 'slack"\nwebhookURL' : 'webhook"\nurl';
    return `[[resource]]\nkind = "event"\n[[handler]]\nname = "${kind} = "https://hooks.example/x"\n${block}`;
  }
  const hasWork = /^\s*\[\[(chain|resource)\]\]/m.test(block);
  const hasHandler = /^\s*\[\[(chain\.|branch\.)*handler\]\]/m.test(block);
  return `${block}\n${hasWork ? '' : '[[resource]]\nkind = "pod"\n'}${hasHandler ? '' : '[[handler]]\nname = "log"\n'}`;
}

describe('the configurations of', () => {
  for (const page of PAGES.filter((one) => !ELSEWHERE.has(one))) {
    test(page, async () => {
      await using world = await World.start();
      await world.workdir.write('page-me.ts', 'export default (change: object) => change;\n');
      for (const block of blocks(await read(page), 'toml')) {
        const names = [...block.matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name = '']) => name);
        const env = Object.fromEntries(names.map((name) => [name, 'https://hooks.example/a-secret-of-some-length']));
        const file = await world.workdir.write('page.toml', completed(block));
        await assert.doesNotReject(loadConfig(file, { env, loadHandler }), block);
      }
    });
  }

  test('pages that are left out here are tested elsewhere', () => {
    assert.deepEqual(
      [...ELSEWHERE.values()].filter((file) => !existsSync(join(ROOT, file))),
      [],
    );
  });
});
