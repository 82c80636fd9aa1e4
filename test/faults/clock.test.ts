/** Row 33: the machine's clock is set while changes wait. Nothing is retried early or late or given up, and order is kept. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { systemClock } from '../../src/clock.ts';
import { startReceiver } from '../../src/testing/receiver.ts';
import type { Program } from '../e2e/program.ts';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import { Service } from './service.ts';
import { assertComplete, trackingReceiver } from './stories.ts';

const OBJECTS = 5;
const HOUR_MS = 3_600_000;
const END = { objects: OBJECTS, last: 2 };
const JUMP = pathToFileURL(path.join(import.meta.dirname, 'clock-jump.ts')).href;

function startWithClock(service: Service, jumpMs: number): Program {
  return service.start({ env: { NODE_OPTIONS: `--import=${JUMP}`, CLOCK_JUMP_MS: String(jumpMs) } });
}

async function setClock(program: Program): Promise<void> {
  program.signal('SIGUSR2');
  await program.until('the clock was set', ({ stderr }) => stderr.includes('"The clock was set"'));
}

describe('a clock that', { concurrency: 2 }, () => {
  for (const [how, jumpMs] of [
    ['goes back by an hour', -HOUR_MS],
    ['goes forward by an hour', HOUR_MS],
  ] as const) {
    test(`33 ${how} while retries wait: they still run when they are due`, async () => {
      let failures = 0;
      const tracker = trackingReceiver(END, () => (failures++ < 1 ? { status: 500 } : {}));
      await using service = await Service.make(OBJECTS, tracker.respond);
      await using program = startWithClock(service, jumpMs);
      await program.ready();
      service.scale(1);
      await program.until('a retry that waits', ({ stderr }) => stderr.includes('will be retried'));
      await setClock(program);
      service.scale(2);
      await tracker.done();
      const [failed] = service.slack.requests;
      const key = failed?.headers['idempotency-key'];
      const again = service.slack.requests.findLast(({ headers }) => headers['idempotency-key'] === key);
      assert.ok((again?.at ?? 0) - (failed?.at ?? 0) >= 1_000, 'not before its time');
      assert.equal((await program.stop()).code, 0);
      assertComplete(service.slack.requests, END);
      await service.assertBalanced();
    });
  }

  test('33 goes forward by an hour during a short outage of a receiver: the deferral does not expire', async () => {
    // A single object does not open the breaker.
    const end = { objects: 1, last: 1 };
    const tracker = trackingReceiver(end);
    await using service = await Service.make(1);
    const gone = await startReceiver();
    await gone.close();
    await service.workdir.write(
      'config.toml',
      `whileAway = "each"\n[retry]\nretries = 0\n${kwatchmanConfig(gone.url, ['deployment'])}`,
    );
    await using program = startWithClock(service, HOUR_MS);
    await program.ready();
    service.scale(1);
    await program.until('a deferral', ({ stderr }) => stderr.includes('ECONNREFUSED'));
    await setClock(program);
    await using back = await startReceiver(tracker.respond, Number(new URL(gone.url).port));
    await tracker.done();
    assert.equal((await program.stop()).code, 0);
    assert.equal(assertComplete(back.requests, end).repeated, 0);
    await service.assertBalanced();
  });
});

test('33 systemClock.steady() does not jump when the clock is set', (t) => {
  const [before, monotonic] = [systemClock.steady(), systemClock.monotonic()];
  t.mock.method(Date, 'now', () => 0);
  const passedMs = systemClock.steady() - before;
  assert.ok(Math.abs(passedMs - (systemClock.monotonic() - monotonic)) < HOUR_MS, 'Date.now() is 56 years away');
});
