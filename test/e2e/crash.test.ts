/** The program is killed, or stopped in the middle of its work: nothing is lost, and what comes twice can be recognised. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApiServer, type ApiServer } from '../../src/testing/api-server.ts';
import {
  startReceiver,
  type CapturedReceiver,
  type CapturedRequest,
  type ReceiverAnswer,
} from '../../src/testing/receiver.ts';
import { deployment } from './cluster.ts';
import { kwatchmanConfig, startProgram } from './main-job.ts';
import { Workdir, type Program } from './program.ts';

/** Changes that run at once, by default: as many may be under way when the process dies. */
const CONCURRENCY = 8;
const OBJECTS = 30;
const KILLS = 5;

interface Told {
  readonly key: string;
  readonly object: string;
  readonly from: number;
  readonly to: number;
}

/** What a message says about the replicas of a deployment. */
function told({ body, headers }: CapturedRequest): Told {
  const { attachments } = JSON.parse(body) as { attachments: { title: string; text: string }[] };
  const { title = '', text = '' } = attachments[0] ?? {};
  const [, from, to] = /replicas (\d+) -> (\d+)/.exec(text) ?? assert.fail(`No replicas in ${text}`);
  return { key: String(headers['idempotency-key']), object: title, from: Number(from), to: Number(to) };
}

/** Each object's story goes from 0 to `last` without a gap, in order; a repetition has the key of what it repeats. */
function assertWhole(slack: CapturedReceiver, last: number): { readonly repeated: number } {
  const stories = new Map<string, Told[]>();
  let repeated = 0;
  for (const message of slack.requests.map(told)) {
    const story = stories.get(message.object) ?? [];
    stories.set(message.object, story);
    const before = story.at(-1);
    if (before?.key === message.key) {
      assert.deepEqual(message, before);
      repeated += 1;
      continue;
    }
    assert.equal(message.from, before?.to ?? 0, `${message.object} goes on from where it was`);
    story.push(message);
  }
  assert.equal(stories.size, OBJECTS);
  for (const [object, story] of stories) assert.equal(story.at(-1)?.to, last, `${object} is told to its end`);
  return { repeated };
}

class Scene implements AsyncDisposable {
  readonly server: ApiServer;
  readonly slack: CapturedReceiver;
  readonly #workdir: Workdir;
  readonly #kubeconfig: string;

  private constructor(server: ApiServer, slack: CapturedReceiver, workdir: Workdir, kubeconfig: string) {
    this.server = server;
    this.slack = slack;
    this.#workdir = workdir;
    this.#kubeconfig = kubeconfig;
  }

  static async set(respond: (request: CapturedRequest, n: number) => ReceiverAnswer): Promise<Scene> {
    const [server, slack, workdir] = [await startApiServer(), await startReceiver(respond), await Workdir.make()];
    const scene = new Scene(server, slack, workdir, await server.writeKubeconfig(workdir.file('kubeconfig')));
    await workdir.write('config.toml', kwatchmanConfig(slack.url, ['deployment']));
    for (let n = 0; n < OBJECTS; n++) server.create(deployment(`web-${n}`, 'nginx', 0));
    return scene;
  }

  start(): Program {
    return startProgram(this.#workdir, { url: this.server.url, kubeconfig: this.#kubeconfig });
  }

  scaleAll(replicas: number): void {
    for (let n = 0; n < OBJECTS; n++) this.server.update(deployment(`web-${n}`, 'nginx', replicas));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.slack.close();
    await this.server.close();
    await this.#workdir[Symbol.asyncDispose]();
  }
}

describe('P1, P3, P5: kill -9 under load', () => {
  test(`killed ${KILLS} times at random moments: every change arrives, in order, and few of them twice, under the same key`, async (t) => {
    let [killAt, victim] = [Infinity, undefined as Program | undefined];
    const toldToTheEnd = new Set<string>();
    const allTold = Promise.withResolvers<void>();
    await using scene = await Scene.set((request, n) => {
      if (n === killAt) void victim?.stop('SIGKILL');
      const { object, to } = told(request);
      if (to === KILLS + 1 && toldToTheEnd.add(object).size === OBJECTS) allTold.resolve();
      return { delayMs: 5 };
    });
    const { slack } = scene;
    {
      await using first = scene.start();
      await first.ready();
      await first.stop();
    }
    for (let round = 1; round <= KILLS; round++) {
      scene.scaleAll(round);
      killAt = slack.requests.length + 1 + Math.floor(Math.random() * OBJECTS * 0.9);
      t.diagnostic(`killed at message ${killAt}`);
      await using program = scene.start();
      victim = program;
      assert.equal((await program.exited()).signal, 'SIGKILL');
    }
    await using last = scene.start();
    await last.ready();
    scene.scaleAll(KILLS + 1);
    await allTold.promise;
    assert.equal((await last.stop()).code, 0);
    const { repeated } = assertWhole(slack, KILLS + 1);
    assert.ok(repeated <= KILLS * CONCURRENCY, `${repeated} came twice`);
  });
});

describe('P1, P4: SIGTERM while deliveries are slow', () => {
  test('what runs is finished first and never sent again; what waits is sent by the next start', async () => {
    const { promise: busy, resolve: isBusy } = Promise.withResolvers<void>();
    await using scene = await Scene.set((_request, n) => {
      if (n === CONCURRENCY) isBusy();
      return n <= CONCURRENCY ? { delayMs: 300 } : {};
    });
    const { slack } = scene;
    {
      await using first = scene.start();
      await first.ready();
      scene.scaleAll(1);
      await busy;
      assert.equal((await first.stop('SIGTERM')).code, 0);
    }
    assert.equal(slack.requests.length, CONCURRENCY, 'nothing is begun after SIGTERM');
    await using second = scene.start();
    await slack.waitFor(OBJECTS);
    await second.ready();
    assert.equal((await second.stop()).code, 0);
    assert.equal(assertWhole(slack, 1).repeated, 0);
  });

  test('a second signal does not wait: exit 1, and what ran is told by the next start under its own key', async () => {
    const { promise: busy, resolve: isBusy } = Promise.withResolvers<void>();
    await using scene = await Scene.set((_request, n) => {
      if (n === CONCURRENCY) isBusy();
      return n <= CONCURRENCY ? { hang: true } : {};
    });
    const { slack } = scene;
    {
      await using first = scene.start();
      await first.ready();
      scene.scaleAll(1);
      await busy;
      const exited = first.stop('SIGTERM');
      // Not SIGTERM again: the kernel may make one of two.
      void first.stop('SIGINT');
      assert.equal((await exited).code, 1);
    }
    await using second = scene.start();
    await slack.waitFor(OBJECTS + CONCURRENCY);
    assert.equal((await second.stop()).code, 0);
    assert.equal(assertWhole(slack, 1).repeated, CONCURRENCY);
  });
});
