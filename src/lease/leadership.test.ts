import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { ApiClient } from '../source/api.ts';
import { startApiServer, type ApiServer, type FaultHandle } from '../testing/api-server.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { logInto } from '../testing/log-into.ts';
import { clientOf } from '../testing/test-source.ts';
import { acquireLeadership, type Leadership } from './leadership.ts';

const AT = { namespace: 'default', name: 'watchchain' };
const PATH = '/apis/coordination.k8s.io/v1/namespaces/default/leases/watchchain';

/** Ways in which a renewal may fail. */
const BROKEN = [{ effect: 'status', status: 500 }, { effect: 'reset' }, { effect: 'hang' }] as const;

interface Spec {
  readonly holderIdentity?: string | null;
  readonly leaseTransitions: number;
  readonly leaseDurationSeconds: number;
  readonly renewTime: string;
  readonly acquireTime: string;
}

/** A process that wants the Lease, or has it. */
class Contender {
  readonly identity: string;
  readonly lines: string[] = [];
  readonly #api: ApiClient;
  readonly #gone = new AbortController();
  leadership: Leadership | undefined;
  loss: Error | undefined;

  constructor(server: ApiServer, clock: Clock, identity: string) {
    this.identity = identity;
    this.#api = counted(clientOf(server));
    const log = logInto((line) => this.lines.push(JSON.stringify(line)));
    const options = { api: this.#api, at: AT, identity, durationMs: 15_000, clock, log, signal: this.#gone.signal };
    acquireLeadership(options).then(
      (leadership) => {
        this.leadership = leadership;
        leadership.lost.catch((error: Error) => (this.loss = error));
      },
      () => undefined,
    );
  }

  get leads(): boolean {
    return this.leadership?.isHeld() === true;
  }

  /** Like `kill -9` as seen by the others: it sends nothing any more. */
  async vanish(): Promise<void> {
    this.#gone.abort();
    await this.#api.close();
  }
}

/** Requests under way, and how many were aborted. */
const traffic = { underWay: 0, givenUp: 0 };

function counted(api: ApiClient): ApiClient {
  return {
    host: api.host,
    stream: api.stream.bind(api),
    close: () => api.close(),
    request: async (method, path, options) => {
      traffic.underWay++;
      try {
        return await api.request(method, path, options);
      } finally {
        traffic.underWay--;
        if (options?.signal?.aborted === true) traffic.givenUp++;
      }
    },
  };
}

describe('acquireLeadership()', () => {
  let server: ApiServer;
  let clock: FakeClock;
  let broken: { readonly effect: string; readonly fault: FaultHandle } | undefined;
  const contenders: Contender[] = [];

  beforeEach(async () => {
    server = await startApiServer();
    clock = new FakeClock();
    broken = undefined;
    traffic.givenUp = 0;
  });

  afterEach(async () => {
    await Promise.all(contenders.splice(0).map((contender) => contender.vanish()));
    await server.close();
  });

  const contend = (identity: string, own: Clock = clock): Contender => {
    const contender = new Contender(server, own, identity);
    contenders.push(contender);
    return contender;
  };
  const leading = async (identity: string, own: Clock = clock): Promise<Contender & { leadership: Leadership }> => {
    const contender = contend(identity, own);
    await until(() => contender.leadership !== undefined, `${identity} holds the lease`);
    return contender as Contender & { leadership: Leadership };
  };
  const spec = (): Spec => server.get('Lease', AT.name)?.['spec'] as unknown as Spec;
  const requests = (method: string): number => server.requests.filter((seen) => seen.method === method).length;
  /** Advances time in steps, letting every request be answered. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      await clock.advance(Math.min(left, 500));
      const hanging = () => (broken?.effect === 'hang' ? broken.fault.hits - traffic.givenUp : 0);
      await until(() => traffic.underWay <= hanging(), 'every request is answered');
      await nextTurn();
    }
  };
  /** The clock of a process that was frozen for this long, whose timers have not noticed yet. */
  const standingStill = (stoodMs: () => number): Clock => ({
    now: () => clock.now() + stoodMs(),
    steady: () => clock.steady() + stoodMs(),
    monotonic: () => clock.monotonic() + stoodMs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    after: (ms, work) => clock.after(ms, work),
  });
  const breakWrites = (fault: (typeof BROKEN)[number]): void => {
    broken = { effect: fault.effect, fault: server.fault({ ...fault, method: 'PUT', path: /leases/ }) };
  };

  test('creates the Lease as client-go does, and renews it every two seconds', async () => {
    const one = await leading('one');
    assert.deepEqual(spec(), {
      holderIdentity: 'one',
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:00.000000Z',
    });
    await pass(60_000);
    assert.equal(requests('PUT'), 30);
    assert.equal(spec().renewTime, '2026-01-01T00:01:00.000000Z');
    assert.equal(spec().acquireTime, '2026-01-01T00:00:00.000000Z');
    assert.equal(one.leadership.isHeld(), true);
  });

  test('gives the Lease to one of several contenders, and the others log for whom they wait', async () => {
    const all = ['one', 'two', 'three'].map((identity) => contend(identity));
    await pass(30_000);
    const holders = all.filter(({ leads }) => leads);
    assert.equal(holders.length, 1);
    assert.equal(spec().holderIdentity, holders[0]?.identity);
    assert.equal(spec().leaseTransitions, 0);
    for (const { lines, leadership } of all.filter((one) => one !== holders[0])) {
      assert.equal(leadership, undefined);
      assert.equal(lines.filter((line) => line.includes('Waiting for the lease')).length, 1);
      assert.match(lines.join(''), new RegExp(`"holder":"${holders[0]?.identity}"`));
    }
  });

  test('passes a released Lease to the next contender within two seconds, with a greater term', async () => {
    const one = await leading('one');
    const two = contend('two');
    await pass(5_000);
    assert.equal(two.leads, false);
    await one.leadership.release();
    assert.equal(one.leadership.isHeld(), false);
    assert.equal(spec().holderIdentity, null);
    await pass(2_000);
    assert.equal(two.leads, true);
    assert.deepEqual([one.leadership.term.number, two.leadership?.term.number], [0, 1]);
    assert.equal(two.leadership?.term.lease, one.leadership.term.lease);
    assert.equal(one.loss, undefined);
    await one.leadership.release();
    assert.equal(spec().holderIdentity, 'two');
  });

  test('takes over from a vanished holder 15 s after the last renewal seen, whatever the times in the Lease', async () => {
    const ahead = new FakeClock(Date.UTC(2020, 0, 1));
    const one = await leading('one', ahead);
    const two = contend('two');
    await pass(4_000);
    await one.vanish();
    await pass(10_500);
    assert.equal(two.leads, false);
    await pass(1_000);
    assert.equal(two.leads, true);
    assert.equal(spec().leaseTransitions, 1);
  });

  for (const fault of BROKEN) {
    test(`loses the Lease 10 s after the last renewal, 5 s before another may take it: ${fault.effect}`, async () => {
      const one = await leading('one');
      const two = contend('two');
      await pass(6_000);
      breakWrites(fault);
      await pass(9_500);
      assert.equal(one.leadership.isHeld(), true);
      assert.equal(one.loss, undefined);
      await pass(500);
      assert.equal(one.leadership.isHeld(), false);
      await until(() => one.loss !== undefined, 'the loss is reported');
      assert.match(
        String(one.loss),
        /^Error: The lease default\/watchchain was lost: .+; this process stops processing changes$/,
      );
      broken?.fault.remove();
      await pass(4_500);
      assert.equal(two.leads, false);
      await pass(3_000);
      assert.equal(two.leads, true);
    });
  }

  test('keeps the Lease through some seconds without the API server, and logs the failure', async () => {
    const one = await leading('one');
    await pass(2_000);
    const away = server.fault({ effect: 'status', status: 503, path: /leases/ });
    await pass(7_500);
    away.remove();
    await pass(30_000);
    assert.equal(one.leadership.isHeld(), true);
    assert.match(one.lines.join(''), /"Cannot renew the lease, trying again"/);
    assert.match(one.lines.join(''), /it answered 503/);
  });

  test('keeps the Lease when one request hangs', async () => {
    const one = await leading('one');
    await pass(2_000);
    broken = { effect: 'hang', fault: server.fault({ effect: 'hang', method: 'PUT', path: /leases/, times: 1 }) };
    await pass(20_000);
    assert.equal(one.leadership.isHeld(), true);
    assert.match(one.lines.join(''), /no answer within 5 s/);
  });

  test('reports the last answer received as the reason of the loss if the final renewal is cut short', async () => {
    const one = await leading('one');
    await pass(2_000);
    const failing = server.fault({ effect: 'status', status: 500, method: 'PUT', path: /leases/ });
    await pass(7_500);
    failing.remove();
    broken = { effect: 'hang', fault: server.fault({ effect: 'hang', method: 'PUT', path: /leases/ }) };
    await pass(3_000);
    assert.match(one.loss?.message ?? '', /was lost: .*it answered 500: .+; this process stops processing changes/);
    assert.ok(broken.fault.hits > 0);
  });

  test('holds the Lease at once if it was written and the answer was lost', async () => {
    server.fault({ effect: 'truncate', method: 'POST', path: /leases/, times: 1 });
    const one = contend('one');
    await pass(2_500);
    assert.equal(one.leads, true);
  });

  test('no longer holds the Lease after a pause of the process, before anything else has run', async () => {
    let stoodMs = 0;
    const one = await leading(
      'one',
      standingStill(() => stoodMs),
    );
    stoodMs = 20_000;
    assert.equal(one.leadership.isHeld(), false);
    await pass(2_000);
    await until(() => one.loss !== undefined, 'the loss is reported');
    assert.equal(requests('PUT'), 0);
  });

  test('loses the Lease as not renewed in time if the process was paused during a renewal', async () => {
    let stoodMs = 0;
    const one = await leading(
      'one',
      standingStill(() => stoodMs),
    );
    broken = { effect: 'hang', fault: server.fault({ effect: 'hang', method: 'PUT', path: /leases/ }) };
    await pass(2_000);
    await until(() => broken?.fault.hits === 1, 'a renewal is under way');
    stoodMs = 20_000;
    await pass(5_000);
    await until(() => one.loss !== undefined, 'the loss is reported');
    assert.match(String(one.loss), /was lost: it was not renewed in time; this process stops processing changes/);
  });

  test('does not blame an earlier failure for a loss caused by a pause of the process', async () => {
    let stoodMs = 0;
    const one = await leading(
      'one',
      standingStill(() => stoodMs),
    );
    server.fault({ effect: 'status', status: 500, method: 'PUT', path: /leases/, times: 1 });
    await pass(6_000);
    assert.match(one.lines.join(''), /it answered 500/);
    stoodMs = 20_000;
    await pass(2_000);
    await until(() => one.loss !== undefined, 'the loss is reported');
    assert.match(String(one.loss), /was lost: it was not renewed in time; this process stops processing changes/);
  });

  test('keeps the Lease when somebody labels or deletes it', async () => {
    const one = await leading('one');
    await pass(2_000);
    const lease = server.get('Lease', AT.name);
    assert.ok(lease);
    server.update({ ...lease, metadata: { ...lease.metadata, labels: { team: 'shop' } } });
    await pass(4_000);
    assert.deepEqual(server.get('Lease', AT.name)?.metadata.labels, { team: 'shop' });
    assert.equal(one.leadership.isHeld(), true);
    server.delete('Lease', AT.name);
    await pass(20_000);
    assert.equal(one.leadership.isHeld(), true);
    assert.equal(spec().holderIdentity, 'one');
  });

  test('does not take a deleted Lease while its holder may be at work, and takes it afterwards', async () => {
    const one = await leading('one');
    const two = contend('two');
    await pass(4_500);
    server.delete('Lease', AT.name);
    await pass(20_000);
    assert.deepEqual([one.leads, two.leads], [true, false]);
    breakWrites(BROKEN[0]);
    server.delete('Lease', AT.name);
    await pass(17_000);
    assert.deepEqual([one.leads, two.leads], [false, true]);
  });

  test('does not take a deleted Lease before the time for which its holder had it', async () => {
    const renewTime = '2026-01-01T00:00:00.000000Z';
    const held = { holderIdentity: 'one', leaseDurationSeconds: 60, leaseTransitions: 0, renewTime };
    server.create({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: AT, spec: held });
    const two = contend('two');
    await pass(2_000);
    server.delete('Lease', AT.name);
    await pass(55_000);
    assert.equal(two.leads, false);
    await pass(7_000);
    assert.equal(two.leads, true);
  });

  test('loses a Lease that another has taken at the next renewal, and does not release it', async () => {
    const one = await leading('one');
    const lease = server.get('Lease', AT.name);
    assert.ok(lease);
    server.update({ ...lease, spec: { ...spec(), holderIdentity: 'somebody', leaseTransitions: 7 } });
    await pass(2_000);
    await until(() => one.loss !== undefined, 'the loss is reported');
    assert.match(String(one.loss), /it is held by somebody/);
    assert.equal(one.leadership.isHeld(), false);
    await one.leadership.release();
    assert.equal(spec().holderIdentity, 'somebody');
  });

  test('waits for a forbidden Lease with a hint about roles, and takes it once allowed', async () => {
    server.allow(({ resource }) => resource !== 'leases');
    const one = contend('one');
    await pass(4_000);
    assert.equal(one.leads, false);
    assert.match(
      one.lines.join(''),
      /Cannot GET [^ ]+leases\/watchchain on [^ ]+: it answered 403: .+ cannot get resource .+; `watchchain rbac` prints/,
    );
    server.allow(() => true);
    await pass(2_000);
    assert.equal(one.leads, true);
  });

  test('logs why the Lease cannot be had once, again when that changes or after a minute, and the end once', async () => {
    const one = await leading('one');
    const two = contend('two');
    await pass(2_000);
    const said = () => two.lines.filter((line) => /Cannot access|can be accessed/.test(line));
    server.allow(({ verb }) => verb !== 'get');
    await pass(59_000);
    assert.equal(said().length, 1, said().join(''));
    await pass(5_000);
    assert.equal(said().length, 2);
    const broken = server.fault({ effect: 'status', status: 503, path: /leases/, method: 'GET' });
    await pass(20_000);
    assert.equal(said().length, 3);
    assert.match(said()[2] ?? '', /it answered 503/);
    server.allow(() => true);
    broken.remove();
    await pass(60_000);
    assert.equal(said().length, 4);
    assert.match(said()[3] ?? '', /"level":"info","message":"The lease can be accessed again"/);
    assert.equal(one.leadership.isHeld(), true);
  });

  test('uses only get, create and update of the one Lease', async () => {
    const one = await leading('one');
    await pass(4_000);
    await one.leadership.release();
    const asked = new Set(server.requests.map(({ method, path }) => `${method} ${path}`));
    assert.deepEqual([...asked], [`GET ${PATH}`, `POST ${PATH.replace('/watchchain', '')}`, `PUT ${PATH}`]);
  });
});

/** With real sockets the only way is to poll; only a failing test comes near the limit. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = AbortSignal.timeout(60_000);
  while (!condition()) {
    if (deadline.aborted) throw new Error(`Never came to be: ${what}`);
    await nextTurn();
  }
}
