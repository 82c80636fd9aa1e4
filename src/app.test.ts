import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { createApp, type App, type AppOptions } from './app.ts';
import { defineSink } from './chain/handler.ts';
import { loadConfig } from './config/load.ts';
import { createLogger } from './log.ts';
import { startApiServer, type ApiServer } from './testing/api-server.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { Workdir } from '../test/e2e/program.ts';

interface Starting extends AsyncDisposable {
  readonly app: App;
  readonly server: ApiServer;
  /** What the single handler has done so far. */
  readonly calls: readonly string[];
  /** Its start is under way. */
  readonly begun: Promise<void>;
  /** Lets the start finish. */
  goOn(): void;
}

/** A service whose handler finishes starting only when allowed to. */
async function slowToStart(options: Partial<AppOptions> = {}): Promise<Starting> {
  const workdir = await Workdir.make();
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
  const log = createLogger({ level: 'error', format: 'json', color: false, stream: new PassThrough().resume() });
  const app = createApp({ config, log, stdout, env: {}, storeFile: ':memory:', ...options });
  return {
    app,
    server,
    calls,
    begun: starting.promise,
    goOn: mayStart.resolve,
    async [Symbol.asyncDispose]() {
      await app.stop(0);
      await server.close();
      await workdir[Symbol.asyncDispose]();
    },
  };
}

describe('stop()', () => {
  test('during start() stops what was already starting, and makes start() reject', async () => {
    await using slow = await slowToStart();
    const { app, server } = slow;
    const started = assert.rejects(app.start(), /stopping/);
    await slow.begun;
    const stopped = app.stop(0);
    slow.goOn();
    await started;
    await stopped;
    assert.deepEqual(slow.calls, ['started', 'stopped']);
    assert.equal(server.requests.filter(({ query }) => query.has('watch')).length, 0, 'nothing is watched');
    assert.equal(app.health().phase, 'stopping');
  });

  test('cuts off a handler that has not finished starting 5 s later, and stops it', async () => {
    const clock = new FakeClock();
    await using slow = await slowToStart({ clock });
    const { app } = slow;
    const started = assert.rejects(app.start(), /stopping/);
    await slow.begun;
    const stopped = app.stop();
    await clock.advance(5_000);
    await started;
    await stopped;
    assert.deepEqual(slow.calls, ['stopped']);
    await assert.rejects(app.store.balances(), { code: 'STORE_CLOSED' });
  });

  test('before start() makes start() reject without listening or sending a request', async () => {
    await using slow = await slowToStart({ listen: '127.0.0.1:0' });
    const { app, server } = slow;
    const stopped = app.stop();
    await assert.rejects(app.start(), /stopping/);
    await stopped;
    assert.equal(app.listening, undefined);
    assert.equal(server.requests.length, 0);
  });
});
