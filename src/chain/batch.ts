/** Changes that waited at one sink, told together: who they are is stored before the first attempt, the outcome is each one's. */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'winston';
import { idempotencyKey, type Change } from '../change.ts';
import type { Evidence } from '../enrich/evidence.ts';
import type { Enricher } from '../enrich/involved.ts';
import { withInvolved } from '../enrich/needs.ts';
import { toError } from '../errors.ts';
import type { Batch, Delivery, ParkRequest, Store } from '../store/store.ts';
import type { Gather } from './attempt.ts';
import { withDeadline, type RunningCalls } from './deadline.ts';
import { HandlerFailure } from './failure.ts';
import { tellOrSpare, type Spares } from './fallback.ts';
import type { Arrival, Outcome, Passage } from './fate.ts';
import type { Gathering } from './gathering.ts';
import type { Observer } from './observe.ts';
import type { Persistence } from './persistence.ts';
import { runOnce, type Ran, type RetryOptions } from './retry.ts';
import { contextOf, type SinkStep } from './step.ts';

/** What a batch needs of its chain. */
export interface BatchWork {
  readonly retry: RetryOptions;
  readonly store: Store;
  readonly persistence: Persistence;
  readonly observer: Observer;
  readonly calls: RunningCalls;
  readonly log: Logger;
  readonly enricher: Enricher;
  readonly evidence: Evidence;
  readonly spares: Spares;
  /** The sink, and when it waits; undefined when it left the configuration. */
  readonly sink: { readonly step: SinkStep; readonly gathering: Gathering } | undefined;
  attempt(delivery: Delivery, gather: Gather): Promise<Outcome>;
  settle(delivery: Delivery, ran: Ran<Outcome>): Promise<void>;
  release(delivery: Delivery): Promise<void>;
}

interface Member {
  readonly delivery: Delivery;
  readonly arrival: Arrival;
}

/** Members that are prepared between two turns of the event loop. */
const PER_TURN = 32;

/** Never rejects: each member is settled, or handed back. */
export async function runBatch(batch: Batch, work: BatchWork): Promise<void> {
  const { sink } = work;
  if (sink === undefined) return alone(batch.deliveries, work, NEVER);
  const arrived = await arrivalsOf(batch, work);
  if (arrived.length === 0) return;
  const changes = arrived.map(({ arrival }) => arrival.change);
  if (batch.id !== undefined) return void (await deliver(arrived, batch.id, sink, work));
  if (arrived.length === 1 || sink.gathering.areFew(changes)) {
    const gather: Gather = { until: () => undefined, limited: (_, until) => sink.gathering.limited(until) };
    const deliveries = arrived.map(({ delivery }) => delivery);
    return alone(deliveries, work, gather);
  }
  const fitting = fittingOf(changes, sink.step, work);
  const members = arrived.slice(0, fitting);
  const fix = () => work.store.fixBatch(members.map(({ delivery }) => delivery.id));
  const id = await work.persistence.keepTrying('fix a batch', fix);
  const until = id === undefined ? undefined : await deliver(members, id, sink, work);
  const leave = ({ delivery, arrival }: Member): Promise<void> =>
    until === undefined
      ? work.release(delivery)
      : work.settle(delivery, { kind: 'done', result: { ...arrival, until } });
  await Promise.all(arrived.slice(fitting).map(leave));
}

function fittingOf(changes: readonly Change[], { id, instance }: SinkStep, { log }: BatchWork): number {
  try {
    return Math.max(1, instance.fits?.(changes) ?? changes.length);
  } catch (thrown) {
    log.error('Handler cannot say how many changes fit into a message', {
      handler: id,
      error: toError(thrown).message,
    });
    return 1;
  }
}

const NEVER: Gather = { until: () => undefined, limited: () => undefined };

/** One by one after all, in order. */
async function alone(deliveries: readonly Delivery[], work: BatchWork, gather: Gather): Promise<void> {
  for (const delivery of deliveries) {
    await work.settle(delivery, await runOnce(delivery, () => work.attempt(delivery, gather), work.retry));
  }
}

/** The handlers before the sink run again, for what they make of a change is not stored. Who does not come to it is settled here. */
async function arrivalsOf({ deliveries, handler }: Batch, work: BatchWork): Promise<readonly Member[]> {
  const gather: Gather = { until: (sink) => (sink === handler ? 0 : undefined), limited: () => undefined };
  const arrived: Member[] = [];
  for (const [n, delivery] of deliveries.entries()) {
    if (n % PER_TURN === PER_TURN - 1) await nextTurn();
    const ran = await runOnce(delivery, () => work.attempt(delivery, gather), work.retry);
    if (ran.kind === 'done' && 'goOn' in ran.result && ran.result.at === handler) {
      arrived.push({ delivery, arrival: ran.result });
    } else await work.settle(delivery, ran);
  }
  return arrived;
}

/** Answers until when the receiver's rate allows no message, if that is why nothing was sent. */
async function deliver(
  members: readonly Member[],
  id: number,
  { step, gathering }: NonNullable<BatchWork['sink']>,
  work: BatchWork,
): Promise<number | undefined> {
  // They came together and end together: the one with the most attempts left speaks for all.
  const first = members.map(({ delivery }) => delivery).reduce((a, b) => (b.attempts < a.attempts ? b : a));
  const telling = {
    spares: work.spares,
    observer: work.observer,
    changes: members.length,
    tell: (sink: SinkStep, insteadOf?: string) => tell({ members, first }, sink, work, insteadOf),
  };
  const ran = await runOnce(first, () => tellOrSpare(step, telling), work.retry);
  if (ran.kind === 'done') {
    await told(members, step, work);
    return undefined;
  }
  await Promise.all(members.map(({ delivery }) => work.settle(delivery, failureFor(delivery, ran, step.id, id))));
  if (ran.kind === 'dead' || ran.why !== 'waiting') return undefined;
  gathering.limited(ran.park.until);
  return ran.park.until;
}

interface Message {
  readonly members: readonly Member[];
  readonly first: Delivery;
}

async function tell({ members, first }: Message, step: SinkStep, work: BatchWork, insteadOf?: string): Promise<void> {
  const changes = members.map(({ arrival }) => arrival.change);
  const send = async (signal: AbortSignal): Promise<void> => {
    const { log, enricher, evidence } = work;
    const circumstances = { attempt: first.attempts + 1, signal, log, enricher, evidence, insteadOf };
    const contextFor = (change: Change) => contextOf(step, change, circumstances);
    const own = { log: log.child({ handler: step.id }), idempotencyKey: keyOf(changes, step.id) };
    const { need } = step;
    const known =
      need === undefined
        ? changes
        : await Promise.all(changes.map((change) => withInvolved(change, need, contextFor(change))));
    if (step.instance.deliverMany !== undefined) {
      await step.instance.deliverMany(known, { ...contextFor(first.change), ...own });
    } else for (const change of known) await step.instance.deliver(change, contextFor(change));
  };
  try {
    await withDeadline(send, { clock: work.retry.clock, ms: step.deadlineMs, calls: work.calls });
  } catch (thrown) {
    throw new HandlerFailure(step.id, thrown);
  }
}

/** The sink is done with all of them in one transaction; then each goes on. */
async function told(members: readonly Member[], step: SinkStep, work: BatchWork): Promise<void> {
  const ids = members.map(({ delivery }) => delivery.id);
  await work.persistence.keepTrying('note a delivery', () => work.store.checkpointAll(ids, step.id));
  work.observer.toldTogether(step.id, members.length);
  const goOn = async ({ delivery, arrival }: Member): Promise<void> =>
    work.settle(delivery, await runOnce(delivery, arrival.goOn, work.retry));
  await Promise.all(members.map(goOn));
}

/** What failed for all, as this one's: what was never sent may be told with others, what may have arrived only with the same ones. */
function failureFor(
  { attempts }: Delivery,
  ran: Exclude<Ran<void>, { kind: 'done' }>,
  handler: string,
  id: number,
): Exclude<Ran<Passage>, { kind: 'done' }> {
  if (ran.kind === 'dead') return { ...ran, attempts: attempts + 1 };
  const gather: ParkRequest['gather'] = { handler, batch: ran.why === 'waiting' ? undefined : id };
  return { ...ran, park: { ...ran.park, attempts: attempts + (ran.why === 'failed' ? 1 : 0), gather } };
}

/** Of the members' own keys: the same for every attempt, over restarts too. */
function keyOf(changes: readonly Change[], handler: string): string {
  const keys = changes.map((change) => idempotencyKey(change, handler)).join('\n');
  const hash = createHash('sha256').update(keys).digest('hex').slice(0, 32);
  return `${changes[0]?.cluster.id ?? ''}|batch:${hash}|${handler}`;
}
