/** The Event Controller's files in `run -c`, in `import`, and in the form of the Event Watcher's older document. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { loadHandler } from '../../src/chain/load.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { Workdir } from '../e2e/program.ts';
import { load } from './controller.ts';

const INI = `[global]
k8s_api_endpoint = api.example:6443
k8s_namespace = demo
k8s_resource = routes
watcher_plugin = first, simple
[plugin_first]
greeting = \${NOT_A_REFERENCE} 100%
`;
const env = { K8S_TOKEN: 'hunter2', HOME: '/home' };

const meaning = ({ chains, cluster, existing, log, whileAway }: Config) => ({
  cluster,
  existing,
  log,
  whileAway,
  chains: chains.map(({ resources, branches, retry, concurrency }) => ({
    resources: resources.map(({ at: _at, ...resource }) => resource),
    branches: branches.map(({ name, handlers }) => [name, handlers.map(({ id, options }) => ({ id, options }))]),
    retry,
    concurrency,
  })),
});

describe("the event controller's files", () => {
  test('are recognised by [global], and import prints what they mean, without the values of variables', async () => {
    await using workdir = await Workdir.make();
    const file = await workdir.write('config.ini', INI);
    const config = await loadConfig(file, { env, loadHandler });
    assert.equal(config.mayRunPrograms, true);
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const { signal } = new AbortController();
    assert.equal(await runCommandLine({ argv: ['import', file], env, stdin, stdout, stderr, signal }), 0);
    stdout.end();
    const toml = await text(stdout);
    assert.doesNotMatch(toml, /hunter2/);
    const imported = await loadConfig(await workdir.write('config.toml', toml), { env, loadHandler });
    assert.deepEqual(meaning(imported), meaning(config));
    assert.equal(imported.mayRunPrograms, false);
    const [[, [first] = []] = []] = meaning(config).chains[0]?.branches ?? [];
    const { section, watcher } = (first as { options: Record<string, Record<string, unknown>> }).options;
    assert.deepEqual(section, { greeting: '${NOT_A_REFERENCE} 100%' });
    assert.partialDeepStrictEqual(watcher, {
      k8s_endpoint: 'api.example:6443',
      k8s_namespace: 'demo',
      k8s_resource: 'routes',
      watcher_plugin: 'first, simple',
    });
  });

  test('the test command runs their plug-ins only with --enable-exec', async () => {
    await using workdir = await Workdir.make();
    const file = await workdir.write('config.ini', INI);
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough().resume(), new PassThrough()];
    const { signal } = new AbortController();
    const argv = ['test', '-c', file, '-'];
    assert.equal(await runCommandLine({ argv, env, stdin, stdout, stderr, signal }), 1);
    stderr.end();
    assert.match(await text(stderr), /runs a program, which is disabled: start with --enable-exec/);
  });

  test('another ini file is refused', async () => {
    await using workdir = await Workdir.make();
    const file = await workdir.write('php.ini', '[PHP]\nengine = On\n');
    await assert.rejects(
      loadConfig(file, { env, loadHandler }),
      /it is not a configuration of .* the Event Controller/,
    );
  });

  test('a path is enough without a namespace; an invalid path or group is refused', async () => {
    const watched = async (given: object) => {
      const { chains } = await load({ env: { K8S_TOKEN: 'a', ...given } });
      const { kind, apiVersion, namespaces, fieldSelector } = chains[0]?.resources[0] ?? {};
      return [kind, apiVersion, namespaces, fieldSelector];
    };
    assert.deepEqual(await watched({ K8S_API_PATH: 'api/v1/pods' }), ['pods', 'v1', [], '']);
    assert.deepEqual(await watched({ K8S_API_PATH: '/apis/apps/v1/namespaces/shop/deployments/web' }), [
      'deployments',
      'apps/v1',
      ['shop'],
      'metadata.name=web',
    ]);
    await assert.rejects(watched({ K8S_API_PATH: '/metrics' }), /must be the path of a list, .*"\/metrics"/);
    const named = { K8S_NAMESPACE: 'shop', K8S_RESOURCE: 'pods' };
    await assert.rejects(watched({ ...named, K8S_API_GROUP: 'apps' }), /must be "api", "oapi" or "apis\/GROUP"/);
  });

  test('without a CA, a warning says that the ones of the system are trusted', async () => {
    const given = { K8S_TOKEN: 'a', K8S_NAMESPACE: 'demo', K8S_RESOURCE: 'routes' };
    const warned = async (more: object) => (await load({ env: { ...given, ...more } })).warnings.join('\n');
    assert.match(await warned({}), /no CA file is set: .* that the system trusts/);
    for (const more of [{ K8S_INSECURE: 'true' }, { K8S_CA: './ca.crt' }]) assert.equal(await warned(more), '');
  });

  test('ENV_K8S_CA, the name in the older document, is read as K8S_CA, with a warning', async () => {
    const given = { K8S_TOKEN: 'a', K8S_NAMESPACE: 'event-watcher', K8S_RESOURCE: 'routes', ENV_K8S_CA: './ca.crt' };
    const config = await load({ env: given });
    assert.match(config.cluster.direct?.caFile ?? '', /\/ca\.crt$/);
    assert.match(config.warnings.join('\n'), /ENV_K8S_CA is read as K8S_CA/);
  });
});
