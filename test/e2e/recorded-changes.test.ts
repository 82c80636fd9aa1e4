/** `watchchain test FILE`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startReceiver } from '../../src/testing/receiver.ts';
import { deployment } from './cluster.ts';
import { kwatchmanConfig } from './main-job.ts';
import { Workdir } from './program.ts';
import { CONFIG, run } from './commands.ts';

describe('test FILE', () => {
  test('prints the verdict of each recorded change, and sends nothing', async () => {
    await using workdir = await Workdir.make();
    await using slack = await startReceiver();
    await workdir.write('config.toml', kwatchmanConfig(slack.url, ['deployment']));
    const uid = { uid: '7b0f' };
    const stage = (image: string, resourceVersion: string) => {
      const object = deployment('web', image);
      return { ...object, metadata: { ...object.metadata, ...uid, resourceVersion } };
    };
    const lines = [
      { type: 'ADDED', object: stage('nginx:1.7.9', '1') },
      { type: 'MODIFIED', object: stage('nginx:1.7.9', '2') },
      { type: 'MODIFIED', object: stage('nginx:1.9.1', '3') },
    ];
    await workdir.write('events.json', lines.map((line) => JSON.stringify(line)).join('\n'));
    const exit = await run(workdir, ['test', workdir.file('events.json'), '-c', workdir.file('config.toml')]);
    assert.equal(exit.code, 0, exit.stderr);
    assert.match(exit.stdout, /nginx:1\.9\.1/);
    assert.match(exit.stdout, /no change of/);
    assert.equal(slack.requests.length, 0);
  });

  test('a missing file, or one that holds something else: a message and exit 1', async () => {
    await using workdir = await Workdir.make();
    await workdir.write('config.toml', CONFIG);
    await workdir.write('poem.txt', 'roses are red');
    for (const file of ['missing.json', 'poem.txt']) {
      const exit = await run(workdir, ['test', workdir.file(file), '-c', workdir.file('config.toml')]);
      assert.equal(exit.code, 1);
      assert.match(exit.stderr, new RegExp(file.replace('.', '\\.')));
    }
  });
});
