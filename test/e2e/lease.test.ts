/** On the embedded API server, with scripted faults; test/cluster hands over on a real control plane. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApiServer } from '../../src/testing/api-server.ts';
import { startReceiver } from '../../src/testing/receiver.ts';
import { deployment } from './cluster.ts';
import { clusterOf } from './commands.ts';
import { handOver, leaseConfig, standsBy } from './lease.ts';
import { messages, startProgram } from './main-job.ts';
import { Workdir } from './program.ts';

const DURATION_S = 3;

describe('a Lease on the embedded API server', { concurrency: true }, () => {
  test('a standby takes over from a process that stops or dies: nothing is lost or reported twice', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await handOver(await clusterOf(workdir, server), workdir, DURATION_S);
  });

  test('a holder that cannot renew it stops, exits with 1, and the next one goes on from there', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await using slack = await startReceiver(() => ({ body: 'ok' }));
    const access = await clusterOf(workdir, server);
    await workdir.write('config.toml', leaseConfig(slack.url, DURATION_S));
    await using first = startProgram(workdir, access);
    await first.ready();
    server.create(deployment('web'));
    await slack.waitFor(1);
    const fault = server.fault({ method: 'PUT', path: /\/leases/, effect: 'status', status: 500 });
    const exit = await first.exited();
    server.update(deployment('web', 'nginx:1.9.1'));
    assert.equal(exit.code, 1);
    assert.match(
      exit.stderr,
      /The lease default\/hand-over was lost: .*it answered 500.*; this process stops processing changes/,
    );
    fault.remove();
    await using second = startProgram(workdir, access);
    await second.ready();
    await slack.waitFor(2);
    assert.equal((await second.stop()).code, 0);
    assert.match(messages(slack)[1]?.text ?? '', /nginx:1\.7\.9 -> nginx:1\.9\.1/);
    assert.equal(slack.requests.length, 2);
  });

  test(
    'a holder that has lost it exits, even if a handler ignores the signal and goes on by itself',
    { timeout: 60_000 },
    async () => {
      await using server = await startApiServer();
      await using workdir = await Workdir.make();
      await using slack = await startReceiver(() => ({ body: 'ok' }));
      const access = await clusterOf(workdir, server);
      const stubborn = `export default async () => { for (;;) await fetch('${slack.url}', { method: 'POST', body: '{}' }); };`;
      await workdir.write('stubborn.mjs', stubborn);
      const config = leaseConfig(slack.url, DURATION_S).replace('name = "log"', 'name = "./stubborn.mjs"');
      await workdir.write('config.toml', config);
      await using first = startProgram(workdir, access);
      await first.ready();
      server.create(deployment('web'));
      await slack.waitFor(1);
      server.fault({ method: 'PUT', path: /\/leases/, effect: 'status', status: 500 });
      const exit = await first.exited();
      assert.equal(exit.code, 1);
      assert.match(exit.stderr, /was lost: .*this process stops processing changes/);
    },
  );

  test('a standby takes over with the reloaded configuration: nothing of a kind added meanwhile is lost', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await using slack = await startReceiver(() => ({ body: 'ok' }));
    await using fresh = await startReceiver(() => ({ body: 'ok' }));
    const access = await clusterOf(workdir, server);
    const settings = (value: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace: 'default' },
      data: { value },
    });
    await workdir.write('config.toml', leaseConfig(slack.url, DURATION_S));
    server.create(settings('a'));
    await using first = startProgram(workdir, access);
    await first.ready();
    await using second = startProgram(workdir, access);
    await standsBy(second);
    const more = leaseConfig(fresh.url, DURATION_S).replace(
      '[[resource]]',
      '[[resource]]\nkind = "configmap"\n[[resource]]',
    );
    await workdir.write('config.toml', more);
    await first.until('the reload', ({ stderr }) => /"Configuration reloaded"/.test(stderr));
    await first.ready();
    assert.equal((await first.stop()).code, 0);
    server.update(settings('b'));
    await second.ready();
    server.update(settings('c'));
    await fresh.waitFor(2);
    assert.equal((await second.stop()).code, 0);
    assert.deepEqual(
      messages(fresh).map(({ text }) => /data\.value \w -> \w/.exec(text)?.[0]),
      ['data.value a -> b', 'data.value b -> c'],
    );
    assert.equal(slack.requests.length, 0);
  });

  test('a standby refuses handlers that cannot be used, and takes over with the previous ones', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await using slack = await startReceiver(() => ({ body: 'ok' }));
    const access = await clusterOf(workdir, server);
    const config = leaseConfig(slack.url, DURATION_S);
    await workdir.write('config.toml', config);
    await using first = startProgram(workdir, access);
    await first.ready();
    await using second = startProgram(workdir, access);
    await standsBy(second);
    const two = '[[handler]]\nname = "podAlerts"\n[[handler]]\nname = "podAlerts"\nid = "more"\n';
    await workdir.write('config.toml', config.replace('[[handler]]', `${two}[[handler]]`));
    await second.until('its refusal', ({ stderr }) => /cannot be used[^]*podAlerts keeps state by group/.test(stderr));
    assert.equal((await first.stop()).code, 0);
    await second.ready();
    server.create(deployment('web'));
    await slack.waitFor(1);
    assert.equal((await second.stop()).code, 0);
  });

  test('a suspended holder that was replaced delivers nothing when it resumes, and exits with 1', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await using slack = await startReceiver(() => ({ body: 'ok' }));
    const access = await clusterOf(workdir, server);
    await workdir.write('config.toml', leaseConfig(slack.url, DURATION_S));
    await using first = startProgram(workdir, access);
    await first.ready();
    // As on another node with its own volume: no lock of the folder keeps it out.
    await using second = startProgram(workdir, access, { state: workdir.file('another') });
    await standsBy(second);
    first.signal('SIGSTOP');
    await second.ready();
    server.create(deployment('web'));
    await slack.waitFor(1);
    first.signal('SIGCONT');
    const exit = await first.exited();
    assert.equal(exit.code, 1);
    // The second pattern applies if it was stopped in the middle of a renewal.
    assert.match(
      exit.stderr,
      /The lease default\/hand-over was lost: (?:it was not renewed in time|Cannot PUT .*: no complete answer within 2 s);/,
    );
    assert.equal((await second.stop()).code, 0);
    assert.equal(slack.requests.length, 1);
  });

  test('a holder that loses it while it ends what runs after a SIGTERM cuts that off, and says why', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await using slack = await startReceiver(() => ({ hang: true }));
    await workdir.write('config.toml', leaseConfig(slack.url, DURATION_S));
    await using program = startProgram(workdir, await clusterOf(workdir, server));
    await program.ready();
    server.create(deployment('web'));
    await slack.waitFor(1);
    server.fault({ method: 'PUT', path: /\/leases/, effect: 'status', status: 500 });
    const exit = await program.stop();
    assert.equal(exit.code, 0);
    assert.match(exit.stderr, /The lease default\/hand-over was lost: .*"Something failed while stopping"/);
  });

  test('a holder that has lost it exits with 1, even if it gets a SIGTERM before it has stopped', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await using slack = await startReceiver(() => ({ body: 'ok' }));
    const slow = `import { defineTransform, z } from 'watchchain';
      const described = { name: 'slow', summary: '', description: '', options: z.strictObject({}), examples: [] };
      const stop = () => (console.error('stopping'), new Promise(() => {}));
      export default defineTransform({ ...described, create: () => ({ handle: (change) => change, stop }) });`;
    await workdir.write('slow.mjs', slow);
    const config = leaseConfig(slack.url, DURATION_S).replace('name = "log"', 'name = "./slow.mjs"');
    await workdir.write('config.toml', config);
    await using program = startProgram(workdir, await clusterOf(workdir, server));
    await program.ready();
    server.fault({ method: 'PUT', path: /\/leases/, effect: 'status', status: 500 });
    await program.until('the handler stops', ({ stderr }) => /^stopping$/m.test(stderr));
    const exit = await program.stop();
    assert.equal(exit.code, 1);
    assert.match(exit.stderr, /^watchchain: The lease default\/hand-over was lost:/m);
  });
});
