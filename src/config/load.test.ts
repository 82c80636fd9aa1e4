import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { defineSink, defineTransform, type HandlerDefinition } from '../chain/handler.ts';
import { codeOf, ConfigError } from '../errors.ts';
import { temporaryFolder } from '../testing/test-folder.ts';
import type { ChainConfig, Config, HandlerConfig, ResourceConfig } from './config.ts';
import { duration } from './duration.ts';
import { patterns } from './fields.ts';
import { loadConfig } from './load.ts';
import type { Overrides } from './overrides.ts';
import { watchRequests } from '../app/watch-requests.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const ENV = { URL: 'https://hooks.slack.example/from-env' };

/** The test's own handlers, so that golden files do not change when a real handler gets an option. */
const HANDLERS: Readonly<Record<string, z.ZodObject>> = {
  diff: z.strictObject({}),
  log: z.strictObject({}),
  ignoreEvents: z.strictObject({ events: z.array(z.enum(['Add', 'Update', 'Delete'])).min(1) }),
  match: z.strictObject({ kind: patterns.optional() }),
  quiet: z.strictObject({
    kind: patterns.optional(),
    until: z.string().optional(),
    daily: z.string().optional(),
    action: z.enum(['hold', 'halt']).default('hold'),
  }),
  slack: z.strictObject({
    webhookURL: z.url({ error: 'must be the URL of a webhook' }),
    clusterName: z.string().optional(),
    messagesPerSecond: z.number().optional(),
    timeout: duration.optional(),
  }),
};

function loadHandler(name: string): Promise<HandlerDefinition> {
  const options = HANDLERS[name];
  if (options === undefined) return Promise.reject(new ConfigError([`unknown handler "${name}"`]));
  const described = { name, summary: '', description: '', options, examples: [] };
  return Promise.resolve(
    name === 'slack'
      ? defineSink({ ...described, create: () => ({ deliver: () => Promise.resolve() }) })
      : defineTransform({ ...described, create: () => ({ handle: (change) => change }) }),
  );
}

function load(name: string, overrides: Overrides = {}): Promise<Config> {
  return loadConfig(relative(process.cwd(), join(FIXTURES, name)), { env: ENV, loadHandler, overrides });
}

async function problemsOf(loading: Promise<Config>): Promise<readonly string[]> {
  const thrown: unknown = await loading.then(
    () => assert.fail('it must be refused'),
    (error: unknown) => error,
  );
  assert.equal(codeOf(thrown), 'CONFIG', String(thrown));
  return (thrown as ConfigError).problems;
}

/** What a configuration means, or what is wrong with it, in the format of the golden files. */
async function outcome(name: string): Promise<string> {
  try {
    const { whileAway, cluster, chains } = await load(name);
    const settings = [
      whileAway === 'each' ? '' : `whileAway ${whileAway}\n`,
      cluster.name === undefined ? '' : `cluster ${cluster.name}\n`,
    ];
    return settings.join('') + chains.map(describeChain).join('');
  } catch (thrown) {
    if (codeOf(thrown) !== 'CONFIG') throw thrown;
    const text = (thrown as ConfigError).problems.map((line) => `${line}\n`).join('');
    return text.replaceAll(`${FIXTURES}/`, '/folder/').replaceAll(`${relative(process.cwd(), FIXTURES)}/`, '');
  }
}

function describeChain(chain: ChainConfig): string {
  const { name, resources, handlers, branches, retry, concurrency, deadLettersTo, awayFrom, coalesce } = chain;
  const pace = `concurrency=${concurrency} retry=${[retry.retries, retry.minTimeoutMs, retry.factor, retry.deferForMs].join()}`;
  const lines = [
    `${name}${coalesce ? '' : ' coalesce=false'}${awayFrom === 20 ? '' : ` awayFrom=${awayFrom}`}${pace === 'concurrency=8 retry=3,1000,5,900000' ? '' : ` ${pace}`}${deadLettersTo === undefined ? '' : ` deadLetters=${deadLettersTo}`}`,
    ...resources.map((resource) => `  ${describeResource(resource)}`),
    ...handlers.map((handler) => `  ${describeHandler(handler)}`),
  ];
  return lines.map((line) => `${line}\n`).join('') + branches.map(describeChain).join('');
}

function describeHandler({ id, options, digest, fallback }: HandlerConfig): string {
  const parts = [id, JSON.stringify(options), digest && `digest=${digest.windowMs},${digest.over}`];
  return [...parts, fallback && `fallback=${fallback.id},${fallback.afterMs}`].filter(Boolean).join(' ');
}

function describeResource({ kind, apiVersion, namespaces, labelSelector, fieldSelector }: ResourceConfig): string {
  const parts = [kind, apiVersion, namespaces.length > 0 && `in ${namespaces.join()}`];
  return [...parts, labelSelector && `labels=${labelSelector}`, fieldSelector && `fields=${fieldSelector}`]
    .filter(Boolean)
    .join(' ');
}

describe('loadConfig()', async () => {
  for (const file of (await readdir(FIXTURES)).filter((name) => name.endsWith('.toml'))) {
    test(`reads ${file} as its .expected says`, async () => {
      const expected = await readFile(join(FIXTURES, file.replace(/toml$/, 'expected')), 'utf8');
      assert.equal(await outcome(file), expected);
    });
  }

  test('records the line of each resource and handler', async () => {
    const { chains } = await load('kwatchman.toml');
    const [chain] = chains;
    assert.match(chain?.resources[1]?.at ?? '', /kwatchman\.toml:4$/);
    assert.match(chain?.handlers[2]?.at ?? '', /kwatchman\.toml:17$/);
  });

  test('requests the Events of each scope with the most permissive repeats of its resources', async () => {
    const requests = watchRequests(await load('events-together.toml'));
    assert.deepEqual(
      requests.map(({ namespace, interest }) => `${namespace} ${interest.repeats ?? 'every'}`),
      ['shop first', 'prod-*,team-* every', 'web every'],
    );
  });

  test('applies --namespace and --label-selector to resources without their own', async () => {
    const { chains } = await load('chains.toml', { namespace: 'a, b', labelSelector: 'tier=web' });
    assert.deepEqual(
      chains.flatMap(({ resources }) =>
        resources.map(({ namespaces, labelSelector }) => `${namespaces.join()} ${labelSelector}`),
      ),
      ['shop,web tier=web', 'shop tier=web', 'shop tier=web', 'a,b tier=web', 'a,b tier=web'],
    );
  });

  test('uses a Lease if the file or --lease asks for one; --lease wins', async () => {
    const durationMs = 15_000;
    assert.equal((await load('kwatchman.toml')).lease, undefined);
    assert.deepEqual((await load('settings.toml')).lease, { name: 'teller', namespace: 'shop', durationMs: 30_000 });
    assert.equal((await load('settings.toml', { lease: 'shop/other' })).lease?.name, 'other');
    const flag = async (lease: string) => (await load('kwatchman.toml', { lease })).lease;
    assert.deepEqual(await flag('a'), { name: 'a', namespace: undefined, durationMs });
    assert.deepEqual(await flag('monitoring/a'), { name: 'a', namespace: 'monitoring', durationMs });
    assert.deepEqual(await problemsOf(load('kwatchman.toml', { lease: 'monitoring/a/b' })), [
      '--lease: must be [NAMESPACE/]NAME: current value is "monitoring/a/b"',
    ]);
  });

  test('names the Lease after the file, with a hash if Kubernetes would not accept the name', async (t) => {
    const folder = await temporaryFolder(t);
    const text = '[lease]\n[[resource]]\nkind = "pod"\n[[handler]]\nname = "log"\n';
    const names = ['prod-eu.toml', 'prod.eu.toml', 'prod_eu.toml', '配置.toml', '設定.toml'].map(async (name) => {
      await writeFile(join(folder, name), text);
      return (await loadConfig(join(folder, name), { env: ENV, loadHandler })).lease?.name;
    });
    assert.deepEqual(await Promise.all(names), [
      'watchchain-prod-eu',
      'watchchain-prod-eu-2740657d',
      'watchchain-prod-eu-c0dc854d',
      'watchchain-config-148d195e',
      'watchchain-config-0d8619aa',
    ]);
  });

  test('an empty TZ is UTC', async (t) => {
    const own = process.env['TZ'];
    t.after(() => {
      if (own === undefined) delete process.env['TZ'];
      else process.env['TZ'] = own;
    });
    process.env['TZ'] = '';
    assert.equal((await load('kwatchman.toml')).web.podWatcher.timeZone, 'UTC');
  });

  test('strips the trailing newline of a token from a Secret', async () => {
    const { web, tracing } = await load('settings.toml');
    assert.deepEqual([web.token, tracing?.headers], ['a-token-of-16-or-more', { Authorization: 'Bearer b3a7' }]);
  });

  test('reads the limits of the history, by default a week and 512 MiB', async () => {
    const day = 24 * 3_600_000;
    assert.deepEqual((await load('settings.toml')).history, { maxAgeMs: 90 * day, maxBytes: 2 * 1024 ** 3 });
    assert.deepEqual((await load('kwatchman.toml')).history, { maxAgeMs: 7 * day, maxBytes: 512 * 1024 ** 2 });
  });

  test('refuses a --namespace or --label-selector that the API server would refuse', async () => {
    assert.deepEqual(await problemsOf(load('kwatchman.toml', { namespace: 'shop,Team-*', labelSelector: 'a in (' })), [
      '--namespace: must be the name of a namespace: lower-case letters, digits and "-"; "*" matches any characters: current value is "shop,Team-*"',
      '--label-selector: must be a label selector such as "tier=web", "env in (prod,stage)" or "!canary": current value is "a in ("',
    ]);
  });

  test('prefers flags to the file for cluster and state, and resolves paths relative to the file', async () => {
    const own = await load('settings.toml');
    assert.equal(own.cluster.kubeconfig, join(FIXTURES, 'kube', 'config'));
    assert.equal(own.state.path, join(FIXTURES, 'state'));
    const flags = await load('settings.toml', { kubeconfig: 'k', context: 'c', state: 's' });
    assert.deepEqual([flags.cluster.kubeconfig, flags.cluster.context, flags.state.path], ['k', 'c', 's']);
    assert.match((await load('direct-right.toml')).cluster.direct?.server ?? '', /^https:/);
    for (const chosen of [{ kubeconfig: 'k' }, { context: 'c' }])
      assert.equal((await load('direct-right.toml', chosen)).cluster.direct, undefined);
    assert.deepEqual(own.redact.paths, [
      { kind: 'configmap', path: 'data.password' },
      { kind: '*', path: 'metadata.annotations.key' },
    ]);
    assert.equal(own.redact.envNames.at(-1), '^LICENSE$');
  });

  test('ignores an empty entry of a list of kubeconfigs, as kubectl does', async (t) => {
    const folder = await temporaryFolder(t);
    const file = join(folder, 'config.toml');
    await writeFile(file, '[cluster]\nkubeconfig = "${LIST}"\n[[resource]]\nkind = "pod"\n[[handler]]\nname = "log"\n');
    const list = ['', 'dev', join(folder, 'prod'), ''].join(delimiter);
    const { cluster } = await loadConfig(file, { env: { ...ENV, LIST: list }, loadHandler });
    assert.equal(cluster.kubeconfig, [join(folder, 'dev'), join(folder, 'prod')].join(delimiter));
  });

  test('warns of redaction rules for a misspelt kind', async (t) => {
    const folder = await temporaryFolder(t);
    const file = join(folder, 'config.toml');
    const kinds = ['configmp', 'cm', '*', 'deployments.apps', 'certificate', 'routes'];
    const rules = kinds.map((kind) => `"${kind}" = ["spec.x"]`).join('\n');
    const rest = '[[resource]]\nkind = "route"\n[[handler]]\nname = "diff"\n';
    await writeFile(file, `[redact.paths]\n${rules}\n${rest}`);
    assert.deepEqual((await loadConfig(file, { env: ENV, loadHandler })).warnings, [
      `${file}:2: redact.paths.configmp: is not a kind of Kubernetes; did you mean "configmap"?`,
    ]);
  });

  test('warns of namespaces for a kind whose objects are in none', async (t) => {
    const folder = await temporaryFolder(t);
    const file = join(folder, 'config.toml');
    const resource = (kind: string, names: string): string => `kind = "${kind}"\nnamespaces = ["${names}"]\n`;
    const own = [resource('node', 'shop'), resource('pv', '*'), resource('pod', 'shop'), resource('widget', 'shop')];
    const chain = `[[chain]]\nname = "x"\n[[chain.resource]]\n${resource('ns', 'team-*')}[[chain.handler]]\nname = "log"\n`;
    const text = `${own.map((one) => `[[resource]]\n${one}`).join('')}[[handler]]\nname = "log"\n${chain}`;
    await writeFile(file, text);
    const { warnings } = await loadConfig(file, { env: ENV, loadHandler, overrides: { namespace: 'shop' } });
    assert.deepEqual(warnings, [
      `${file}:3: resource[0].namespaces: has no effect, since a Node is in no namespace: all are watched`,
      `${file}:19: chain[0].resource[0].namespaces: has no effect, since a Namespace is in no namespace: all are watched`,
    ]);
  });

  test('refuses what can be the name of no kind', async (t) => {
    const file = join(await temporaryFolder(t), 'config.toml');
    for (const kind of ['pod,service', 'apps/v1/deployment', '*', ' pod', 'pods/log', 'pod_1']) {
      await writeFile(file, `[[resource]]\nkind = "${kind}"\n[[handler]]\nname = "log"\n`);
      const [problem = '', ...others] = await problemsOf(loadConfig(file, { env: ENV, loadHandler }));
      assert.match(problem, /:2: resource\[0\]\.kind: must be one kind, such as "deployment" or /);
      assert.deepEqual(others, []);
    }
  });

  test("reads UTF-16, as PowerShell's > writes it", async (t) => {
    const folder = await temporaryFolder(t);
    const file = join(folder, 'config.toml');
    const toml = '\uFEFF[[resource]]\r\nkind = "pod"\r\n[[handler]]\r\nname = "log"\r\n';
    await writeFile(file, toml, 'utf16le');
    assert.equal((await loadConfig(file, { env: ENV, loadHandler })).chains[0]?.resources[0]?.kind, 'pod');
  });

  test('refuses a folder, whatever its name', async (t) => {
    const folder = await temporaryFolder(t);
    for (const name of ['conf', 'conf.d', 'conf.toml', 'conf.yaml']) {
      const path = join(folder, name);
      await mkdir(path);
      assert.deepEqual(await problemsOf(loadConfig(path, { env: ENV, loadHandler })), [
        `Cannot read ${path}: it is a folder; name the file in it`,
      ]);
    }
  });

  for (const [name, remedy] of [
    ['config', /its name has no extension; supported are \.toml, and for other /],
    ['config.conf', /unsupported configuration type "conf"; supported are \.toml, and for other /],
    ['missing.yaml', /there is no such file; name one with --config, or create one: watchchain new config$/],
    ['missing.toml', /there is no such file; name one with --config, or create one: watchchain new config$/],
  ] as const) {
    test(`refuses ${name}, and names the remedy`, async () => {
      const [problem = ''] = await problemsOf(loadConfig(name, { env: ENV, loadHandler }));
      assert.match(problem, remedy);
    });
  }

  test('quotes no value that comes from outside the file or belongs to a secret key', async () => {
    const lines = (await problemsOf(load('secrets.toml'))).join('\n');
    assert.equal(lines.split('\n').length, 5);
    assert.doesNotMatch(lines, /hunter2|from-env/);
  });
});
