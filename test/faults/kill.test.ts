/** Row 25: the program is killed in the middle of its work. Nothing is lost, and duplicates can be recognised. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Program } from '../e2e/program.ts';
import { LONG } from './needs.ts';
import { between, seeded, type Random } from './random.ts';
import { CONCURRENCY, Service } from './service.ts';
import { assertComplete, trackingReceiver } from './stories.ts';

const ROUNDS = LONG ? 100 : 3;
/** Enough that what a crash can repeat at most is a small part of the whole. */
const OBJECTS = LONG ? 600 : 300;
/** Share of all messages. */
const MOST_TWICE = 0.04;
/** A start takes half of this until the first delivery, and more on a busy machine. */
const EARLY_MS = 2_000;

/** When to kill it: after this many messages of its run, or milliseconds after its start. */
type Moment = { readonly messages: number } | { readonly ms: number };

/**
 * Three crashes in a row during the same change would set it aside (row 72), however unlikely that is here. So every second
 * kill waits until what the previous one interrupted, which is delivered first and alone, is delivered.
 */
function momentOf(random: Random, round: number): Moment {
  if (round % 2 === 0) return { messages: between(random, 2 * CONCURRENCY, OBJECTS * 0.9) };
  return random() < 0.5 ? { messages: between(random, 1, OBJECTS * 0.9) } : { ms: between(random, 0, EARLY_MS) };
}

async function killAt(moment: Moment, service: Service, program: Program): Promise<void> {
  if ('ms' in moment) await delay(moment.ms);
  else await service.slack.waitFor(service.slack.requests.length + moment.messages, 120_000);
  assert.equal((await program.stop('SIGKILL')).signal, 'SIGKILL');
}

describe('killed', () => {
  test(`25 by kill -9, ${ROUNDS} times under load: every change arrives, in order, few of them twice, under the same key`, async (t) => {
    const random = seeded(t);
    const end = { objects: OBJECTS, last: ROUNDS + 1 };
    const tracker = trackingReceiver(end);
    await using service = await Service.make(OBJECTS, tracker.respond);
    await service.startOnce();
    let longestMs = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const half = between(random, 0, OBJECTS);
      service.scale(round, 0, half);
      const startedAt = Date.now();
      await using program = service.start();
      const before = service.slack.requests.length;
      service.scale(round, half);
      await killAt(momentOf(random, round), service, program);
      longestMs = Math.max(longestMs, (service.slack.requests[before]?.at ?? startedAt) - startedAt);
    }
    await using last = service.start();
    await last.ready();
    service.scale(ROUNDS + 1);
    await tracker.done();
    assert.equal((await last.stop()).code, 0);
    const { sent, repeated } = assertComplete(service.slack.requests, end);
    t.diagnostic(
      `${ROUNDS} rounds, ${sent} changes told, 0 lost, ${repeated} sent twice (${((100 * repeated) / sent).toFixed(2)} %), first delivery at most ${Math.round(longestMs)} ms after a start`,
    );
    assert.ok(repeated <= ROUNDS * CONCURRENCY, `${repeated} came twice`);
    assert.ok(repeated <= MOST_TWICE * sent, `${repeated} of ${sent} came twice`);
    await service.assertBalanced();
  });
});
