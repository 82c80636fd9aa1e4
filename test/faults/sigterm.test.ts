/** Row 60: SIGTERM in each phase ends the program with 0, in time; the next start delivers the rest once. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApiServer } from '../../src/testing/api-server.ts';
import { startProgram } from '../e2e/main-job.ts';
import { Workdir, type Program } from '../e2e/program.ts';
import { CONCURRENCY, Service } from './service.ts';
import { assertComplete, trackingReceiver } from './stories.ts';
import { until } from '../until.ts';

const OBJECTS = 30;
const DEPLOYMENTS = '/apis/apps/v1/deployments';
/** Reached only by failing tests. */
const PATIENCE_MS = 60_000;
/** The time until Kubernetes kills the program, less its reserve. */
const GRACE_MS = 22_000;
const END = { objects: OBJECTS, last: 1 };

/** The phases, and how to bring a freshly started program into each. */
const PHASES: readonly (readonly [string, (service: Service, program: Program) => Promise<void>])[] = [
  [
    'before the cluster has answered',
    async ({ server }) => {
      const hangs = server.fault({ path: '/api/v1/namespaces/kube-system', effect: 'hang', times: 1 });
      await until('the question who the cluster is', () => hangs.hits === 1);
    },
  ],
  [
    'during discovery',
    async ({ server }) => {
      const hangs = server.fault({ path: '/apis', effect: 'hang', times: 1 });
      await until('the question what is served', () => hangs.hits === 1);
    },
  ],
  [
    'while a list is under way',
    async ({ server }) => {
      const hangs = server.fault({ path: DEPLOYMENTS, watch: false, effect: 'hang', times: 1 });
      server.fault({ path: DEPLOYMENTS, watch: true, effect: 'status', status: 410, times: 1 });
      await until('the list', () => hangs.hits === 1);
    },
  ],
  [
    'while a watch has no answer yet',
    async ({ server }) => {
      const hangs = server.fault({ path: DEPLOYMENTS, watch: true, effect: 'hang', times: 1 });
      await until('the watch', () => hangs.hits === 1);
    },
  ],
  [
    'while changes are accepted',
    async (service, program) => {
      await program.ready();
      service.scale(1);
    },
  ],
];

describe('SIGTERM', { concurrency: 2 }, () => {
  for (const [phase, enter] of PHASES) {
    test(`60 ${phase}: exit 0, and the next start delivers everything once`, async () => {
      const tracker = trackingReceiver(END);
      await using service = await Service.make(OBJECTS, tracker.respond);
      await service.startOnce();
      {
        await using program = service.start();
        await enter(service, program);
        const askedAt = performance.now();
        assert.equal((await program.stop('SIGTERM')).code, 0);
        assert.ok(performance.now() - askedAt < GRACE_MS, 'nothing that hangs is waited for');
      }
      service.scale(1);
      await using next = service.start();
      await tracker.done();
      assert.equal((await next.stop()).code, 0);
      assert.equal(assertComplete(service.slack.requests, END).repeated, 0);
      await service.assertBalanced();
    });
  }

  test('60 while the file of a handler loads: exit 0, without waiting for it', async () => {
    await using server = await startApiServer();
    await using workdir = await Workdir.make();
    await workdir.write('connects.mjs', "console.error('loading');\nawait new Promise(() => {});\n");
    await workdir.write('config.toml', '[[resource]]\nkind = "pod"\n[[handler]]\nname = "./connects.mjs"\n');
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    await using program = startProgram(workdir, { url: server.url, kubeconfig });
    await program.until('the file loads', ({ stderr }) => /^loading$/m.test(stderr));
    const askedAt = performance.now();
    assert.equal((await program.stop('SIGTERM')).code, 0);
    assert.ok(performance.now() - askedAt < GRACE_MS);
  });

  test('60 while changes wait for a retry: they stay in the store, and the next start delivers them', async () => {
    let down = true;
    await using service = await Service.make(OBJECTS, () => (down ? { status: 500 } : {}));
    await service.startOnce();
    {
      await using program = service.start();
      await program.ready();
      service.scale(1);
      // After five failures the breaker holds the others back.
      await service.slack.waitFor(5, PATIENCE_MS);
      assert.equal((await program.stop('SIGTERM')).code, 0);
    }
    await service.assertBalanced({ pending: OBJECTS });
    down = false;
    const failed = service.slack.requests.length;
    await using next = service.start();
    await service.slack.waitFor(failed + OBJECTS, PATIENCE_MS);
    assert.equal((await next.stop()).code, 0);
    assert.equal(assertComplete(service.slack.requests.slice(failed), END).repeated, 0);
    await service.assertBalanced();
  });

  test('60 while deliveries are slow: those running finish and are not repeated; the next start sends the others', async () => {
    const { promise: busy, resolve: isBusy } = Promise.withResolvers<void>();
    await using service = await Service.make(OBJECTS, (_request, n) => {
      if (n === CONCURRENCY) isBusy();
      return n <= CONCURRENCY ? { delayMs: 300 } : {};
    });
    await service.startOnce();
    {
      await using first = service.start();
      await first.ready();
      service.scale(1);
      await busy;
      assert.equal((await first.stop('SIGTERM')).code, 0);
    }
    assert.equal(service.slack.requests.length, CONCURRENCY, 'nothing is begun after SIGTERM');
    await using second = service.start();
    await service.slack.waitFor(OBJECTS, PATIENCE_MS);
    await second.ready();
    assert.equal((await second.stop()).code, 0);
    assert.equal(assertComplete(service.slack.requests, END).repeated, 0);
    await service.assertBalanced();
  });

  test('60 twice: exit 1 without waiting; the next start repeats what was running, under the same keys', async () => {
    const { promise: busy, resolve: isBusy } = Promise.withResolvers<void>();
    await using service = await Service.make(OBJECTS, (_request, n) => {
      if (n === CONCURRENCY) isBusy();
      return n <= CONCURRENCY ? { hang: true } : {};
    });
    await service.startOnce();
    {
      await using first = service.start();
      await first.ready();
      service.scale(1);
      await busy;
      const exited = first.stop('SIGTERM');
      // Not SIGTERM again: the kernel may merge two into one.
      void first.stop('SIGINT');
      assert.equal((await exited).code, 1);
    }
    await using second = service.start();
    await service.slack.waitFor(OBJECTS + CONCURRENCY, PATIENCE_MS);
    assert.equal((await second.stop()).code, 0);
    assert.equal(assertComplete(service.slack.requests, END).repeated, CONCURRENCY);
    await service.assertBalanced();
  });
});
