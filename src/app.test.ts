import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { z } from 'zod';
import { createApp } from './app.ts';
import { defineSink } from './chain/handler.ts';
import { loadConfig } from './config/load.ts';
import { createLogger } from './log.ts';
import { startApiServer } from './testing/api-server.ts';
import { Workdir } from '../test/e2e/program.ts';

test('stop() while start() is under way stops what it was starting, and start() rejects', async () => {
  await using workdir = await Workdir.make();
  const server = await startApiServer();
  const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
  const file = await workdir.write('config.toml', '[[resource]]\nkind = "pod"\n[[handler]]\nname = "slow"\n');
  const [starting, mayStart] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const calls: string[] = [];
  const slow = defineSink({
    name: 'slow',
    summary: 'Starts when it may.',
    description: 'For this test.',
    options: z.strictObject({}),
    examples: [],
    create: () => ({
      async start() {
        starting.resolve();
        await mayStart.promise;
        calls.push('started');
      },
      deliver: () => Promise.resolve(),
      async stop() {
        calls.push('stopped');
      },
    }),
  });
  const config = await loadConfig(file, {
    env: {},
    loadHandler: () => Promise.resolve(slow),
    overrides: { kubeconfig },
  });
  const stdout = new PassThrough().resume();
  const log = createLogger({ level: 'error', json: true, color: false, stream: new PassThrough().resume() });
  const app = createApp({ config, log, stdout, env: {}, storeFile: ':memory:' });
  const started = assert.rejects(app.start(), /stopping/);
  await starting.promise;
  const stopped = app.stop(0);
  mayStart.resolve();
  await started;
  await stopped;
  assert.deepEqual(calls, ['started', 'stopped']);
  assert.equal(server.requests.filter(({ query }) => query.has('watch')).length, 0, 'nothing is watched');
  assert.equal(app.health().phase, 'stopping');
  await server.close();
});
