import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, rename } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { basename } from 'node:path';
import { describe, test } from 'node:test';
import { credentialProblem, kubeconfigFolder } from '../testing/test-credentials.ts';
import { createApiClient } from './api-client.ts';
import { loadCredentials } from './credentials.ts';

const { pathOf, write, kubeconfig } = kubeconfigFolder();

describe('credentials from a plug-in', () => {
  /** Prints a token that counts its runs, and its input. */
  const PLUGIN = `
    const { appendFileSync, readFileSync } = require('node:fs');
    const runs = process.argv[2];
    appendFileSync(runs, 'x');
    const told = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
    const token = [readFileSync(runs, 'utf8').length, process.env.EXTRA, told.spec.cluster?.server].join(' ');
    console.log(JSON.stringify({ kind: 'ExecCredential', apiVersion: told.apiVersion, status: { token } }));
  `;

  async function plugin(entry: object = {}): Promise<string> {
    const script = await write(PLUGIN);
    return kubeconfig({
      exec: {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: process.execPath,
        args: [script, await write('')],
        env: [{ name: 'EXTRA', value: 'extra' }],
        interactiveMode: 'IfAvailable',
        provideClusterInfo: true,
        ...entry,
      },
    });
  }

  test('are requested once, however many requests need them', async () => {
    const credentials = await loadCredentials({ kubeconfig: await plugin(), env: process.env });
    const headers = await Promise.all([credentials.headers(), credentials.headers(), credentials.tls()]);
    assert.deepEqual(headers[0], { authorization: 'Bearer 1 extra http://127.0.0.1:6443' });
    assert.deepEqual(headers[1], headers[0]);
  });

  test('may depend on what the kubeconfig says of the cluster: its CA as data even from a file, and the config for plug-ins', async () => {
    const extensions = [
      { name: 'minikube', extension: 1 },
      { name: 'client.authentication.k8s.io/exec', extension: { audience: 'shoot' } },
    ];
    const script = `
      const { cluster } = JSON.parse(process.env.KUBERNETES_EXEC_INFO).spec;
      const token = [atob(cluster['certificate-authority-data']), cluster.config.audience].join(' ');
      console.log(JSON.stringify({ kind: 'ExecCredential', apiVersion: 'client.authentication.k8s.io/v1', status: { token } }));
    `;
    const apiVersion = 'client.authentication.k8s.io/v1';
    const exec = { apiVersion, command: process.execPath, args: ['-e', script], provideClusterInfo: true };
    const file = await kubeconfig({ exec }, { 'certificate-authority': await write('the CA'), extensions });
    const credentials = await loadCredentials({ kubeconfig: file, env: process.env });
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer the CA shoot' });
  });

  test('name the plug-in and its error output when it fails, and the install hint when it is missing', async () => {
    const failing = await plugin({ args: ['-e', 'console.error("please log in"); process.exit(3)'] });
    const loaded = await loadCredentials({ kubeconfig: failing, env: process.env });
    await assert.rejects(loaded.headers(), /ended with exit code 3: please log in$/);
    const missing = await plugin({ command: 'no-such-plugin', installHint: 'Install it from example.org.' });
    const other = await loadCredentials({ kubeconfig: missing, env: process.env });
    await assert.rejects(
      other.headers(),
      /Cannot run the credential plug-in "no-such-plugin": .*; Install it from example\.org\.$/,
    );
  });

  test('do not outlive the client: a hanging plug-in is killed when the client closes', async () => {
    const far = createServer().listen(0, '127.0.0.1');
    await once(far, 'listening');
    const { port } = far.address() as AddressInfo;
    const hangs = `require('node:net').connect(${port}, '127.0.0.1')`;
    const kubeconfig = await plugin({ args: ['-e', hangs] });
    const api = createApiClient(await loadCredentials({ kubeconfig, env: process.env }));
    const asked = assert.rejects(api.request('GET', '/api'), /aborted/);
    const [socket] = (await once(far, 'connection')) as [Socket];
    try {
      await api.close();
      await once(socket.resume(), 'close', { signal: AbortSignal.timeout(10_000) });
    } finally {
      socket.destroy();
      far.close();
    }
    await asked;
  });

  test('find a plug-in by a path relative to the kubeconfig', async () => {
    const answer = JSON.stringify({
      kind: 'ExecCredential',
      apiVersion: 'client.authentication.k8s.io/v1',
      status: { token: 'beside' },
    });
    await chmod(await write(`#!/bin/sh\necho '${answer}'\n`, 'bin/plugin.sh'), 0o700);
    const credentials = await loadCredentials({
      kubeconfig: await plugin({ command: './bin/plugin.sh', args: [] }),
      env: process.env,
    });
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer beside' });
    // Relative to the folder that contains both.
    const from = process.cwd();
    process.chdir(pathOf('.'));
    try {
      await rename(pathOf('bin/plugin.sh'), pathOf('plugin.sh'));
      const kubeconfig = basename(await plugin({ command: './plugin.sh', args: [] }));
      const here = await loadCredentials({ kubeconfig, env: process.env });
      assert.deepEqual(await here.headers(), { authorization: 'Bearer beside' });
    } finally {
      process.chdir(from);
    }
  });

  test('are refused if the plug-in is interactive or uses an unsupported API version', async () => {
    assert.match(
      await credentialProblem({ kubeconfig: await plugin({ interactiveMode: 'Always' }), env: {} }),
      /needs a terminal/,
    );
    const old = await plugin({ apiVersion: 'client.authentication.k8s.io/v1alpha1' });
    assert.match(
      await credentialProblem({ kubeconfig: old, env: {} }),
      /: apiVersion: must be \S+\/v1 or v1beta1: current value is "\S+\/v1alpha1"; have your provider's tool write /,
    );
  });

  test('never show the output of the plug-in', async () => {
    const noJson = await plugin({ args: ['-e', 'console.log("hunter2")'] });
    const credentials = await loadCredentials({ kubeconfig: noJson, env: process.env });
    await assert.rejects(
      credentials.headers(),
      (error: Error) => /must print JSON/.test(error.message) && !error.message.includes('hunter2'),
    );
  });
});
