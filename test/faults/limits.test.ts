/** Row 58: few file descriptors, little memory. The program is slower, or is killed; nothing is lost or damaged. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pod, withImage } from '../../src/testing/pods.ts';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import type { Program } from '../e2e/program.ts';
import { skipUnless } from './needs.ts';
import { reportEach, Service } from './service.ts';
import { assertComplete, trackingReceiver } from './stories.ts';
import { until } from '../until.ts';

const OBJECTS = 100;
const PODS = 3_000;
const MB = 1024 * 1024;
const FEW_FILES = ['prlimit', '--nofile=64:64'];

/** A separate control group, of version 1 or 2; removed when it goes out of scope. */
class MemoryLimit implements AsyncDisposable {
  /** Joins the group, then executes the program. */
  readonly under: readonly string[];
  readonly #folder: string;
  readonly #isVersion2: boolean;

  private constructor(folder: string, isVersion2: boolean) {
    this.#folder = folder;
    this.#isVersion2 = isVersion2;
    this.under = ['sh', '-c', `echo $$ > ${path.join(folder, 'cgroup.procs')} && exec "$@"`, 'sh'];
  }

  static async of(bytes: number): Promise<MemoryLimit> {
    const isVersion2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
    const folder = `${isVersion2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory'}/watchchain-${process.pid}-${bytes}`;
    await mkdir(folder);
    await writeFile(path.join(folder, isVersion2 ? 'memory.max' : 'memory.limit_in_bytes'), String(bytes));
    return new MemoryLimit(folder, isVersion2);
  }

  async peakMb(): Promise<number> {
    const file = this.#isVersion2 ? 'memory.peak' : 'memory.max_usage_in_bytes';
    return Math.round(Number(await readFile(path.join(this.#folder, file), 'utf8')) / MB);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A killed process may still be counted for a moment.
    await until('an empty control group', () =>
      rmdir(this.#folder).then(
        () => true,
        () => false,
      ),
    );
  }
}

const needsMemoryLimit = skipUnless('needs root and a control group for memory that may be written', () => {
  const root = existsSync('/sys/fs/cgroup/cgroup.controllers') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
  try {
    execFileSync('sh', ['-c', `mkdir ${root}/watchchain-probe && rmdir ${root}/watchchain-probe`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

/** A service watching pods. */
async function podService(): Promise<Service> {
  const service = await Service.make(0);
  await service.workdir.write('config.toml', reportEach(kwatchmanConfig(service.slack.url, ['pod'])));
  service.server.putAll(Array.from({ length: PODS }, (_, n) => pod(n)));
  return service;
}

function rollOut({ server }: Service, tag: string): void {
  server.putAll(Array.from({ length: PODS }, (_, n) => withImage(pod(n), tag)));
}

/** Asserts by key that each was sent once, or repeatedly under the same key. */
function assertEachTold({ slack }: Service, program: Program): void {
  const keys = slack.requests.map(({ headers }) => headers['idempotency-key']);
  assert.equal(new Set(keys).size, PODS, program.stderr);
}

describe('with', () => {
  test('58 64 file descriptors: every change is delivered, once', async () => {
    const end = { objects: OBJECTS, last: 1 };
    const tracker = trackingReceiver(end);
    await using service = await Service.make(OBJECTS, tracker.respond);
    await using program = service.start({ under: FEW_FILES });
    await program.ready();
    service.scale(1);
    await tracker.done();
    assert.equal((await program.stop()).code, 0);
    assert.equal(assertComplete(service.slack.requests, end).repeated, 0);
    await service.assertBalanced();
  });

  test('58 fewer file descriptors than watches: EMFILE is logged, it stops cleanly; with enough, all is delivered once', async () => {
    const end = { objects: OBJECTS, last: 1 };
    const tracker = trackingReceiver(end);
    await using service = await Service.make(OBJECTS, tracker.respond);
    const namespaces = JSON.stringify(['default', ...Array.from({ length: 60 }, (_, n) => `ns-${n}`)]);
    const config = reportEach(kwatchmanConfig(service.slack.url, ['deployment']));
    await service.workdir.write(
      'config.toml',
      config.replace('"deployment"\n', `"deployment"\nnamespaces = ${namespaces}\n`),
    );
    await service.startOnce();
    service.scale(1);
    {
      await using program = service.start({ under: FEW_FILES });
      await program.until('what it lacks', ({ stderr }) => stderr.includes('EMFILE'));
      assert.equal((await program.stop()).code, 0);
    }
    await using program = service.start();
    await program.ready();
    await tracker.done();
    assert.equal((await program.stop()).code, 0);
    assert.equal(assertComplete(service.slack.requests, end).repeated, 0);
    await service.assertBalanced();
  });

  test(
    '58 256 MB of memory: 3,000 pods are watched, and a rollout of all of them is reported',
    needsMemoryLimit,
    async (t) => {
      await using service = await podService();
      await using limit = await MemoryLimit.of(256 * MB);
      await using program = service.start({ under: limit.under });
      await program.ready();
      rollOut(service, '2');
      await service.slack.waitFor(PODS, 120_000);
      t.diagnostic(`${await limit.peakMb()} MB at most, the page cache of its files included`);
      assert.equal((await program.stop()).code, 0, program.stderr);
      assertEachTold(service, program);
      await service.assertBalanced();
    },
  );

  test(
    '58 too little memory: it is killed by the kernel; with enough it goes on, and nothing is lost',
    needsMemoryLimit,
    async () => {
      await using service = await podService();
      await service.startOnce();
      {
        await using limit = await MemoryLimit.of(75 * MB);
        await using program = service.start({ under: limit.under });
        rollOut(service, '2');
        assert.equal((await program.exited()).signal, 'SIGKILL');
      }
      await using program = service.start();
      await until(
        'every pod',
        () => new Set(service.slack.requests.map(({ headers }) => headers['idempotency-key'])).size === PODS,
        120_000,
      );
      assert.equal((await program.stop()).code, 0);
      assertEachTold(service, program);
      await service.assertBalanced();
    },
  );
});
