/** kwatchman's acceptance list: what is reported of a change. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { deployment } from '../e2e/cluster.ts';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import { Program } from '../e2e/program.ts';
import { World } from '../e2e/world.ts';
import { chainOf, image, slackHandler } from './chain.ts';

describe('kwatchman: diff', () => {
  test('9 (P) existing objects produce no output; a restart without change produces none', async () => {
    await using world = await World.start();
    for (let n = 0; n < 20; n++) world.server.create(deployment(`web-${n}`));
    for (let start = 0; start < 2; start++) {
      await using running = await world.run({ keepState: true });
      assert.equal(
        running.app.health().scopes.reduce((sum, { objects }) => sum + objects, 0),
        20,
      );
      await running.app.idle();
    }
    assert.equal(world.slack.requests.length, 0);
  });

  test('10 (P) one ADD and one DELETE, both with an empty text; 31 (F) the DELETE carries the last manifest', async () => {
    await using world = await World.start();
    await using running = await world.run();
    world.server.create(deployment('web'));
    await world.slack.waitFor(1);
    world.server.delete('Deployment', 'web', 'default');
    await world.slack.waitFor(2);
    assert.deepEqual(
      world.messages().map(({ title, text }) => [title, text]),
      [
        ['ADD deployment\ndefault/web', ''],
        ['DELETE deployment\ndefault/web', ''],
      ],
    );
    const [deleted] = await running.app.store.history({ limit: 1, newestFirst: true });
    assert.equal((deleted?.before?.['spec'] as { replicas?: number } | undefined)?.replicas, 1);
  });

  test('11 (P) image and replicas in one update: one UPDATE with old and new values and nothing else', async () => {
    await using world = await World.start();
    world.server.create(image('nginx:1.7.9'));
    await using running = await world.run();
    world.server.update(image('nginx:1.9.1', 3), { manager: 'kubectl-set' });
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.deepEqual(world.titles(), ['UPDATE deployment\ndefault/web']);
    assert.equal(
      world.messages()[0]?.text,
      '```image web nginx:1.7.9 -> nginx:1.9.1, replicas 1 -> 3 · by kubectl-set\n' +
        'spec.template.spec.containers[web].image: nginx:1.7.9 -> nginx:1.9.1\n' +
        'spec.replicas: 1 -> 3```',
    );
  });

  test('12 (P) status, generation, managedFields, revision and last-applied are silent; 13 (P) so is absent vs. empty', async () => {
    await using world = await World.start();
    world.server.create(deployment('web'));
    await using running = await world.run();
    const { resourceVersion: _any, ...metadata } = world.server.get('Deployment', 'web', 'default')?.metadata ?? {
      name: 'web',
    };
    const now = { ...deployment('web'), metadata };
    const quiet = [
      { ...now, status: { replicas: 1, readyReplicas: 1 } },
      { ...now, metadata: { ...now.metadata, annotations: { 'deployment.kubernetes.io/revision': '2' } } },
      {
        ...now,
        metadata: { ...now.metadata, annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"a":1}' } },
      },
      { ...now, metadata: { ...now.metadata, annotations: {} } },
    ];
    for (const manifest of quiet) world.server.update(manifest, { manager: 'kube-controller-manager' });
    world.server.update(deployment('web', 'nginx:1.9.1'));
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.equal(world.slack.requests.length, 1);
    assert.match(world.messages()[0]?.text ?? '', /nginx:1\.9\.1/);
  });

  test('12 (P) finalizers, owners and waiting for them are silent with the `ignore` of the page about kwatchman', async () => {
    const page = await readFile(new URL('../../docs/coming-from-kwatchman.md', import.meta.url), 'utf8');
    const [ignore = ''] = /ignore = \[[^\]]+\]/.exec(page) ?? [];
    await using world = await World.start();
    const config = chainOf(`name = "diff"\n${ignore}`, slackHandler(world.slack.url));
    await using running = await world.run({ config });
    const { metadata, ...rest } = deployment('web');
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: 'owner-1' };
    world.server.create({ ...rest, metadata });
    world.server.update({
      ...rest,
      metadata: { ...metadata, finalizers: ['example.com/wait'], ownerReferences: [owner] },
    });
    world.server.delete('Deployment', 'web', 'default');
    const terminating = world.server.get('Deployment', 'web', 'default');
    assert.ok(terminating?.metadata.deletionTimestamp);
    world.server.update({ ...terminating, metadata: { ...terminating.metadata, finalizers: [] } });
    await world.slack.waitFor(2);
    await running.app.idle();
    assert.deepEqual(world.titles(), ['ADD deployment\ndefault/web', 'DELETE deployment\ndefault/web']);
  });

  test('14 (P) equal manifests halt the chain: later handlers do not run', async () => {
    await using world = await World.start();
    world.server.create(image('nginx:1.7.9'));
    const ignoreImages = 'name = "diff"\nignore = ["spec.template.spec.containers[*].image"]';
    await using running = await world.run({
      config: chainOf(ignoreImages, 'name = "log"', slackHandler(world.slack.url)),
    });
    world.server.update(image('nginx:1.9.1'));
    world.server.update(image('nginx:1.9.1', 2));
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.equal(running.entries().length, 1);
    const [balance] = await running.app.store.balances();
    assert.deepEqual([balance?.halted, balance?.completed], [1, 1]);
  });

  test('15 (P) after a dropped watch or a 410: changed, new and deleted are reported, unchanged is silent', async () => {
    await using world = await World.start();
    for (const name of ['web', 'same', 'gone']) world.server.create(deployment(name));
    await using running = await world.run({ config: chainOf('name = "diff"', slackHandler(world.slack.url)) });
    const refused = world.server.fault({ path: '/apis/apps/v1/deployments', effect: 'status', status: 503 });
    await world.server.restart();
    world.server.update(image('nginx:1.9.1'));
    world.server.create(deployment('new'));
    world.server.delete('Deployment', 'gone', 'default');
    world.server.compact();
    refused.remove();
    await world.slack.waitFor(3);
    await running.app.idle();
    assert.deepEqual(world.titles().toSorted(), [
      'ADD deployment\ndefault/new',
      'DELETE deployment\ndefault/gone',
      'UPDATE deployment\ndefault/web',
    ]);
  });

  test('16 (F) with no diff handler an idle cluster emits nothing: there is no resync', async () => {
    await using world = await World.start();
    for (let n = 0; n < 3; n++) world.server.create(deployment(`web-${n}`));
    await using running = await world.run({ config: chainOf(slackHandler(world.slack.url)) });
    world.server.bookmark();
    await world.server.restart();
    await world.server.waitForWatches(1);
    await running.app.idle();
    assert.equal(world.slack.requests.length, 0);
  });

  test('24 (F) an ADD or UPDATE at the moment of the first list is reported, with its diff', async () => {
    await using world = await World.start();
    world.server.create(image('nginx:1.7.9'));
    const starting = world.run({ config: chainOf('name = "diff"', slackHandler(world.slack.url)) });
    await world.server.waitForWatches(1);
    world.server.update(image('nginx:1.9.1'));
    world.server.create(deployment('new'));
    await using running = await starting;
    await world.slack.waitFor(2);
    assert.deepEqual(world.titles().toSorted(), ['ADD deployment\ndefault/new', 'UPDATE deployment\ndefault/web']);
    assert.match(
      world.messages().find(({ title }) => title.startsWith('UPDATE'))?.text ?? '',
      /nginx:1\.7\.9 -> nginx:1\.9\.1/,
    );
    assert.equal(running.app.health().ready, true);
  });

  test('32 (F) no diff binary, no /tmp: it works with an empty PATH and a read-only folder', async () => {
    await using world = await World.start();
    const kubeconfig = await world.server.writeKubeconfig(world.workdir.file('kube'));
    const config = await world.workdir.write('config.toml', kwatchmanConfig(world.slack.url));
    const readOnly = world.workdir.file('read-only');
    await mkdir(readOnly);
    await chmod(readOnly, 0o555);
    world.server.create(image('nginx:1.7.9'));
    const args = ['-c', config, '-k', kubeconfig, '--state', world.workdir.file('state'), '--listen', '127.0.0.1:0'];
    await using program = new Program(args, { cwd: readOnly, env: { PATH: '', TMPDIR: readOnly } });
    await program.ready();
    world.server.update(image('nginx:1.9.1'));
    await world.slack.waitFor(1);
    assert.match(world.messages()[0]?.text ?? '', /nginx:1\.7\.9 -> nginx:1\.9\.1/);
    assert.equal((await program.stop()).code, 0);
  });
});
