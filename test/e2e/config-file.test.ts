/** The file of the configuration, which the program follows when it changes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startReceiver, type CapturedRequest } from '../../src/testing/receiver.ts';
import { deployment } from './cluster.ts';
import { kwatchmanConfig, startProgram } from './main-job.ts';
import { World } from './world.ts';
import { configMap, idle, lists, logging, MORE } from './reloading.ts';

describe('the configuration file of a running program', () => {
  test('is reloaded when it changes; an invalid one is reported, and the old one stays in use until it is fixed', async () => {
    await using world = await World.start();
    await using fresh = await startReceiver(() => ({ body: 'ok' }));
    world.server.create(deployment('web'));
    const kubeconfig = await world.server.writeKubeconfig(world.workdir.file('kubeconfig'));
    const good = kwatchmanConfig(world.slack.url, ['deployment']);
    await world.workdir.write('config.toml', good);
    await using program = startProgram(world.workdir, { url: world.server.url, kubeconfig });
    await program.ready();

    await world.workdir.write('config.toml', good.replace('name = "diff"', 'name = "dif"'));
    await program.until('the refusal', ({ stderr }) => /config\.toml:5: .*dif/.test(stderr));
    world.server.update(deployment('web', 'nginx', 2));
    await world.slack.waitFor(1);

    await world.workdir.write('config.toml', kwatchmanConfig(fresh.url, ['deployment', 'configmap']));
    await program.until('the reload', ({ stderr }) => /"Configuration reloaded"/.test(stderr));
    await program.ready();
    world.server.update(deployment('web', 'nginx', 3));
    world.server.create(configMap('settings', 'a'));
    await fresh.waitFor(2);

    const { code } = await program.stop();
    assert.equal(code, 0);
    assert.deepEqual([world.slack.requests.length, fresh.requests.length], [1, 2]);
    assert.equal(lists(world, 'deployments'), 1);
  });

  test('is read again when a missing file that it refers to appears', async () => {
    await using world = await World.start();
    const kubeconfig = await world.server.writeKubeconfig(world.workdir.file('kubeconfig'));
    await world.workdir.write('config.toml', kwatchmanConfig(world.slack.url, ['deployment']));
    await using program = startProgram(world.workdir, { url: world.server.url, kubeconfig });
    await program.ready();
    await world.workdir.write('config.toml', kwatchmanConfig('${file:url}', ['deployment', 'configmap']));
    await program.until('the refusal', ({ stderr }) => /webhookURL: cannot read .*url \(ENOENT\)/.test(stderr));
    await world.workdir.write('url', world.slack.url);
    await program.until('the reload', ({ stderr }) => /"Configuration reloaded"/.test(stderr));
    assert.equal((await program.stop()).code, 0);
  });

  test('is not reloaded while a file that it refers to is empty, and the old value stays in use', async () => {
    await using world = await World.start();
    const answer = ({ headers }: CapturedRequest) => ({ status: headers.authorization === 'Bearer new' ? 200 : 401 });
    await using receiver = await startReceiver(answer);
    const sink = `[[handler]]\nname = "webhook"\nurl = "${receiver.url}"\nheaders = { Authorization = "Bearer \${file:token}" }\n`;
    await world.workdir.write('token', 'new\n');
    await using running = await world.run({ config: logging(['configmap'], sink) });
    await world.workdir.write('token', '');
    await assert.rejects(running.reload(logging(['configmap'], sink)), {
      code: 'CONFIG',
      message: /token \(it is empty\)/,
    });
    world.server.create(configMap('settings', 'a'));
    await idle(running, 1);
    assert.equal((await running.app.store.balances())[0]?.completed, 1);
  });

  test('without the handler or the chain of a dead letter refuses its replay with 409, and keeps it', async () => {
    await using world = await World.start(() => ({ status: 400 }));
    const sink = `[[handler]]\nname = "webhook"\nurl = "${world.slack.url}"\n`;
    await using running = await world.run({ config: logging(['configmap'], sink), listen: '127.0.0.1:0' });
    world.server.create(configMap('settings', 'a'));
    await idle(running, 1);
    const replay = async () => {
      const headers = { 'content-type': 'application/json', 'x-watchchain': 'test' };
      const url = `http://${running.app.listening}/api/dead-letters/replay`;
      const answer = await fetch(url, { method: 'POST', headers, body: '{"ids":[1]}' });
      return `${answer.status} ${await answer.text()}`;
    };
    await running.reload(logging(['configmap']));
    assert.match(await replay(), /^409 .*no handler default\/webhook any more/);
    await running.reload(MORE);
    assert.match(await replay(), /^409 .*no chain \\"default\\" any more/);
    assert.equal((await running.app.store.deadLetters({ limit: 10 })).length, 1);
    await running.reload(logging(['configmap'], sink));
    assert.equal(await replay(), '200 {"ids":[1]}');
  });

  test('is read again when a handler that it names, and that could not be loaded, is fixed', async () => {
    await using world = await World.start();
    const kubeconfig = await world.server.writeKubeconfig(world.workdir.file('kubeconfig'));
    await world.workdir.write('config.toml', logging(['deployment']));
    await using program = startProgram(world.workdir, { url: world.server.url, kubeconfig });
    await program.ready();
    await world.workdir.write('config.toml', logging(['deployment'], '[[handler]]\nname = "./own.ts"\n'));
    await program.until('the refusal', ({ stderr }) => /there is no file \S+own\.ts/.test(stderr));
    await world.workdir.write('own.ts', 'export default (');
    await program.until('the next', ({ stderr }) => /own\.ts.*cannot be loaded/.test(stderr));
    await world.workdir.write('own.ts', 'export default () => {};\n');
    await program.until('the reload', ({ stderr }) => /"Configuration reloaded"/.test(stderr));
    assert.equal((await program.stop()).code, 0);
  });

  test('refers to a file that is rotated during standby: the new content is used', async () => {
    await using world = await World.start();
    await using fresh = await startReceiver(() => ({ body: 'ok' }));
    const kubeconfig = await world.server.writeKubeconfig(world.workdir.file('kubeconfig'));
    const lease = (holderIdentity: string) => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'turn', namespace: 'default' },
      spec: { holderIdentity, leaseDurationSeconds: 3_600, renewTime: new Date().toISOString().replace('Z', '000Z') },
    });
    world.server.create(lease('another'));
    await world.workdir.write('url', world.slack.url);
    const waits = '[lease]\nname = "turn"\nnamespace = "default"\n';
    await world.workdir.write('config.toml', `${kwatchmanConfig('${file:url}', ['deployment'])}${waits}`);
    await using program = startProgram(world.workdir, { url: world.server.url, kubeconfig });
    await program.until('waiting', ({ stderr }) => /"Waiting for the lease"/.test(stderr));
    await world.workdir.write('url', fresh.url);
    world.server.update(lease(''));
    await program.until('the reload', ({ stderr }) => /"Configuration reloaded"/.test(stderr));
    await program.ready();
    world.server.create(deployment('web'));
    await fresh.waitFor(1);
    assert.equal((await program.stop()).code, 0);
    assert.equal(world.slack.requests.length, 0);
  });

  test('shows in health and metrics while it differs from the running one', async () => {
    await using world = await World.start();
    await using running = await world.run({ config: logging(['deployment']) });
    await assert.rejects(running.reload(logging(['deploymnt'])), {
      code: 'CONFIG',
      message: /config\.toml:1: .*deploymnt/,
    });
    running.app.reloadFailed(['config.toml:2: not served']);
    assert.equal(running.app.health().configProblem, 'config.toml:2: not served');
    assert.match(await running.app.metrics.registry.metrics(), /config_last_reload_successful 0/);

    await running.reload(logging(['deployment', 'configmap']));
    assert.equal(running.app.health().configProblem, undefined);
    assert.match(await running.app.metrics.registry.metrics(), /config_last_reload_successful 1/);
  });
});
