import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { TestCluster, deployment } from './cluster.ts';
import { startProgram } from './main-job.ts';
import { Workdir } from './program.ts';
import { startApiServer } from '../../src/testing/api-server.ts';

const CONFIG = `
[[resource]]
kind = "deployment"
[[handler]]
name = "file"
path = "changes.jsonl"
[[handler]]
name = "stdout"
layout = { key = "{{ change.key }}", id = "{{ change.id }}" }
`;

test('file and stdout hold each change once, across a restart; a path is relative to the configuration', async () => {
  await using server = await startApiServer();
  await using workdir = await Workdir.make();
  await workdir.write('config.toml', CONFIG);
  const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
  await using cluster = new TestCluster({ url: server.url, kubeconfig });
  let stdout = '';
  for (const names of [
    ['a', 'b'],
    ['c', 'd'],
  ]) {
    await using program = startProgram(workdir, cluster.access);
    await program.ready();
    for (const name of names) server.create(deployment(name));
    await program.until('both lines', (said) => names.every((name) => said.stdout.includes(`default/${name}"`)));
    stdout += (await program.stop()).stdout;
  }
  const keysIn = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { key: string }).key);
  const all = ['a', 'b', 'c', 'd'].map((name) => `default/${name}`);
  assert.deepEqual(keysIn(await readFile(workdir.file('changes.jsonl'), 'utf8')).toSorted(), all);
  assert.deepEqual(keysIn(stdout).toSorted(), all);
  assert.match(stdout, /^\{"key":"default\/[ab]","id":[12]\}\n/);
});

test('a missing folder of the file handler fails the start, naming the handler and the remedy', async () => {
  await using server = await startApiServer();
  await using workdir = await Workdir.make();
  await workdir.write('config.toml', CONFIG.replace('changes.jsonl', 'none/changes.jsonl'));
  const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
  await using program = startProgram(workdir, { url: server.url, kubeconfig });
  const { code, stderr } = await program.exited();
  assert.equal(code, 1);
  assert.match(stderr, /none\/changes\.jsonl: its folder does not exist; create it/);
  assert.match(stderr, /default\/file/);
});
