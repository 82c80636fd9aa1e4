/** The backlog while a receiver is down, and how soon a killed process continues. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startReceiver } from '../../src/testing/receiver.ts';
import { Cluster } from '../rig/cluster.ts';
import { median, type Scenario } from '../rig/figure.ts';
import { writeChain } from '../rig/places.ts';
import { Subject } from '../rig/subject.ts';

const BATCH = 10_000;
const PENDING_CHANGES = 100_000;
const OBJECTS = 100_000;
const ROUNDS = 3;
const REST_MS = 5_000;
const RECEIVER_MS = 50;
const CONCURRENCY = 8;
const DRAINED = 1_000;
const POLL_MS = 10;
const PROGRAM = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url));

const chainTo = (url: string): string =>
  `[[resource]]\nkind = "event"\n[[handler]]\nname = "webhook"\nurl = "${url}/x"\nlayout = { text = "{{ event.message }}" }\n`;

export const backlog: Scenario = {
  name: 'backlog',
  how: `New Events of 1.4 KB to a webhook that is up, then refuses connections until ${PENDING_CHANGES} are owed, then comes back and answers after ${RECEIVER_MS} ms.
Accepts: wall time from the burst of ${BATCH} until they are in the store, median of ${ROUNDS}, ended deliveries not waited for. RSS after
${REST_MS / 1_000} s in which nothing new comes. Other work on this machine lowers what is wall time.`,
  async run({ folder, quick }) {
    const place = await folder();
    await using stack = new AsyncDisposableStack();
    const receiver = stack.use(await startReceiver());
    const cluster = stack.use(await Cluster.start(place, 'pod', 0));
    const config = await writeChain(place, cluster.kubeconfig, chainTo(receiver.url));
    const state = join(place, 'state');
    const subject = await Subject.start('watchchain', [config]);
    using counts = ChangeCounts.open(state);
    await cluster.watched(1);

    const up = await acceptRates(cluster, counts);
    await until(() => counts.pending() === 0);
    const port = Number(new URL(receiver.url).port);
    await receiver.close();
    const down = await acceptRates(cluster, counts);
    await delay(REST_MS);
    const [before, sizeBefore, pendingBefore] = [await subject.usage(), await sizeOf(state), counts.pending()];
    while (counts.pending() < (quick ? PENDING_CHANGES / 2 : PENDING_CHANGES)) await accepted(cluster, counts);
    await delay(REST_MS);
    const [after, sizeAfter, pending] = [await subject.usage(), await sizeOf(state), counts.pending()];
    await subject.kill();

    const back = stack.use(await startReceiver(() => ({ delayMs: RECEIVER_MS }), port));
    await using program = new Program(config);
    await back.waitFor(2 * DRAINED, 180_000);
    await program.kill();
    const drained = back.requests.slice(DRAINED, 2 * DRAINED);
    const seconds = ((drained.at(-1)?.at ?? NaN) - (drained[0]?.at ?? NaN)) / 1_000;
    return [
      {
        what: 'accepts while the sink is down',
        measured: down,
        denominator: { name: 'while it is up', value: up },
        unit: '/s',
        limit: { atLeast: 0.9 },
      },
      {
        what: `RSS for each more of ${pending} owed changes, its Event's place in the index included`,
        measured: (after.rssBytes - before.rssBytes) / (pending - pendingBefore),
        unit: 'bytes',
        limit: { atMost: 1_024 },
      },
      {
        what: 'on disk for each of them, its Event in the baseline included',
        measured: (sizeAfter - sizeBefore) / (pending - pendingBefore),
        unit: 'bytes',
        limit: { atMost: 4_096 },
      },
      {
        what: `drained to a receiver that takes ${RECEIVER_MS} ms, ${CONCURRENCY} at once`,
        measured: drained.length / seconds,
        denominator: { name: 'what it can take', value: (CONCURRENCY / RECEIVER_MS) * 1_000 },
        unit: '/s',
        limit: { atLeast: 0.9 },
      },
    ];
  },
};

export const recovery: Scenario = {
  name: 'recovery',
  how: `${OBJECTS} objects (Events of 1.4 KB) in the baseline, ${BATCH} changes owed to a receiver that does not answer; kill -9. Wall time from the start
of the program to its first delivery.`,
  async run({ folder }) {
    const place = await folder();
    await using stack = new AsyncDisposableStack();
    let hang = true;
    const receiver = stack.use(await startReceiver(() => ({ hang })));
    const cluster = stack.use(await Cluster.start(place, 'pod', 0));
    await cluster.push({ what: 'events', count: OBJECTS });
    const config = await writeChain(place, cluster.kubeconfig, chainTo(receiver.url));
    const subject = await Subject.start('watchchain', [config]);
    using counts = ChangeCounts.open(join(place, 'state'));
    await cluster.watched(1);
    await cluster.push({ what: 'events', count: BATCH });
    await until(() => counts.pending() >= BATCH);
    await subject.kill();
    hang = false;
    const requestsBefore = receiver.requests.length;
    const startMs = performance.now();
    await using program = new Program(config);
    await receiver.waitFor(requestsBefore + 1, 60_000);
    const seconds = (performance.now() - startMs) / 1_000;
    await program.kill();
    return [
      {
        what: `first delivery after kill -9, ${OBJECTS} objects, ${BATCH} owed`,
        measured: seconds,
        unit: 's',
        limit: { atMost: 3 },
      },
    ];
  },
};

/** The program as its users start it. */
class Program implements AsyncDisposable {
  readonly #child;

  constructor(config: string) {
    this.#child = spawn(process.execPath, [PROGRAM, 'run', '-c', config, '--listen', '127.0.0.1:0'], {
      stdio: 'ignore',
    });
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** Reads the store of a running process from outside. */
class ChangeCounts implements Disposable {
  readonly #db: DatabaseSync;
  readonly #counts;

  private constructor(db: DatabaseSync) {
    this.#db = db;
    this.#counts = db.prepare('SELECT accepted, accepted - completed AS owed FROM counters');
  }

  static open(state: string): ChangeCounts {
    return new ChangeCounts(new DatabaseSync(join(state, 'store.db'), { readOnly: true }));
  }

  accepted(): number {
    return Number(this.#counts.get()?.['accepted'] ?? 0);
  }

  pending(): number {
    return Number(this.#counts.get()?.['owed'] ?? 0);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

async function acceptRates(cluster: Cluster, counts: ChangeCounts): Promise<number> {
  const rates: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const rate = await accepted(cluster, counts);
    if (round > 0) rates.push(rate);
  }
  return median(rates);
}

/** Accepts per second in one burst. */
async function accepted(cluster: Cluster, counts: ChangeCounts): Promise<number> {
  const expected = counts.accepted() + BATCH;
  await cluster.push({ what: 'events', count: BATCH });
  const startMs = performance.now();
  await until(() => counts.accepted() >= expected);
  return BATCH / ((performance.now() - startMs) / 1_000);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(POLL_MS);
}

async function sizeOf(state: string): Promise<number> {
  const sizes = await Promise.all(
    ['store.db', 'store.db-wal'].map((name) => stat(join(state, name)).then(({ size }) => size)),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
