/** Delivers changes that waited at one sink together: members are stored before the first attempt, the outcome is per member. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Change } from '../change.ts';
import type { Batch, Delivery, ParkRequest } from '../store/delivery.ts';
import type { Store } from '../store/store.ts';
import { addInvolved, countFitting, sendTogether } from './batch-message.ts';
import type { CallEnvironment } from './call.ts';
import { isGone, type HandlerFailure } from './failure.ts';
import { deliverWithFallback, type Fallbacks } from './fallback.ts';
import type { Arrival, Failed, Outcome, Parked } from './fate.ts';
import type { Gather, Gathering, GatherWait } from './gathering.ts';
import type { Observer } from './observe.ts';
import type { Persistence } from './persistence.ts';
import { runOnce, type RunResult, type RetryOptions } from './retry.ts';
import { setBatchAside } from './set-aside.ts';
import type { SinkStep } from './step.ts';

/** What a batch needs of its chain. */
export interface BatchWork {
  readonly environment: CallEnvironment;
  readonly retry: RetryOptions;
  readonly store: Pick<Store, 'fixBatch' | 'checkpointAll'>;
  readonly persistence: Persistence;
  readonly observer: Observer;
  readonly fallbacks: Fallbacks;
  /** Undefined if it left the configuration. */
  readonly sink: GatheringSink | undefined;
  /** The ids of the handlers after the sink. */
  readonly later: readonly string[];
  /** Most members in these handlers at once. */
  readonly concurrency: number;
  /** How a change that is in no batch waits. */
  readonly gather: Gather;
  run(delivery: Delivery, gather: Gather): Promise<RunResult<Outcome>>;
  settle(delivery: Delivery, runResult: RunResult<Outcome>): Promise<void>;
  release(delivery: Delivery): Promise<void>;
}

/** A sink, and when changes wait there. */
export interface GatheringSink {
  readonly step: SinkStep;
  readonly gathering: Gathering;
}

type SinkWork = BatchWork & { readonly sink: GatheringSink };

interface Member {
  readonly delivery: Delivery;
  readonly arrival: Arrival;
}

/** A batch whose members are fixed. */
interface Fixed {
  readonly id: number;
  /** Whether this is its first attempt. If not, the receiver may have it. */
  readonly isNew: boolean;
}

const changesOf = (members: readonly Member[]): readonly Change[] => members.map(({ arrival }) => arrival.change);
const deliveriesOf = (members: readonly Member[]): readonly Delivery[] => members.map(({ delivery }) => delivery);

/** Members prepared per turn of the event loop. */
const MEMBERS_PER_TURN = 32;

/** Never rejects: each member is settled or released. */
export async function runBatch(claimed: Batch, work: BatchWork): Promise<void> {
  const batch = await setBatchAside(claimed, work);
  const { sink } = work;
  if (sink === undefined) return deliverSingly(batch.deliveries, work, work.gather);
  const arrived = await collectArrivals(batch, work);
  if (arrived.length === 0) return;
  const atSink = { ...work, sink };
  if (batch.id !== undefined) return void (await deliver(arrived, { id: batch.id, isNew: false }, atSink));
  if (arrived.length > 1 && !sink.gathering.areFew(changesOf(arrived))) return deliverNew(arrived, atSink);
  return deliverSingly(deliveriesOf(arrived), work, gatherAt(batch.handler, undefined, work));
}

/** Delivers as many as fit into one message. The rest wait for the next batch. */
async function deliverNew(arrived: readonly Member[], work: SinkWork): Promise<void> {
  const known = await withInvolved(arrived, work);
  if (known === undefined) return;
  const fitting = countFitting(changesOf(known), work.sink.step, work.environment.log);
  const members = known.slice(0, fitting);
  const fix = () => work.store.fixBatch(deliveriesOf(members).map(({ id }) => id));
  const id = await work.persistence.keepTrying('fix the members of a batch', fix);
  if (id === undefined)
    return void (await Promise.all(deliveriesOf(arrived).map((delivery) => work.release(delivery))));
  const until = await deliver(members, { id, isNew: true }, work);
  const settleRest = ({ delivery, arrival }: Member): Promise<void> =>
    until === undefined
      ? work.release(delivery)
      : work.settle(delivery, { kind: 'done', result: { ...arrival, wait: { until } } });
  await Promise.all(arrived.slice(fitting).map(settleRest));
}

/** Members wait `here` at the sink of their batch, at later ones like any change, and at earlier ones not again. */
function gatherAt(handler: string, here: GatherWait | undefined, { gather, later }: BatchWork): Gather {
  const wait: Gather['wait'] = (sink, change) => (later.includes(sink) ? gather.wait(sink, change) : undefined);
  return { ...gather, wait: (sink, change) => (sink === handler ? here : wait(sink, change)) };
}

/** Delivers them one by one, in order. */
async function deliverSingly(deliveries: readonly Delivery[], work: BatchWork, gather: Gather): Promise<void> {
  for (const delivery of deliveries) await work.settle(delivery, await work.run(delivery, gather));
}

/** Runs the handlers before the sink again, as their results are not stored. Settles members that do not reach the sink. */
async function collectArrivals({ deliveries, handler }: Batch, work: BatchWork): Promise<readonly Member[]> {
  const gather = gatherAt(handler, { until: 0 }, work);
  const arrived: Member[] = [];
  for (const [n, delivery] of deliveries.entries()) {
    if (n % MEMBERS_PER_TURN === MEMBERS_PER_TURN - 1) await nextTurn();
    const runResult = await work.run(delivery, gather);
    if (runResult.kind === 'done' && runResult.result.kind === 'arrived' && runResult.result.at === handler) {
      arrived.push({ delivery, arrival: runResult.result });
    } else await work.settle(delivery, runResult);
  }
  return arrived;
}

/** Adds what is read of the involved objects, as it lengthens the message. Undefined if that is not available now; all wait. */
async function withInvolved(members: readonly Member[], work: SinkWork): Promise<readonly Member[] | undefined> {
  const { step } = work.sink;
  if (step.need === undefined) return members;
  const sending = { environment: work.environment, step, first: representativeOf(members) };
  const runResult = await runOnce(sending.first, () => addInvolved(changesOf(members), sending), work.retry);
  if (runResult.kind === 'done') {
    return members.map(({ delivery, arrival }, n) => {
      return { delivery, arrival: { ...arrival, change: runResult.result[n] ?? arrival.change } };
    });
  }
  await settleFailed(members, undefined, runResult, work);
  return undefined;
}

/** The members succeed or fail together: the one with the most attempts left decides for all. */
function representativeOf(members: readonly Member[]): Delivery {
  return deliveriesOf(members).reduce((a, b) => (b.attempts < a.attempts ? b : a));
}

/** Returns until when the receiver's rate limit allows no message, if that is why nothing was sent. */
async function deliver(members: readonly Member[], batch: Fixed, work: SinkWork): Promise<number | undefined> {
  const { environment, fallbacks, observer, retry } = work;
  const first = representativeOf(members);
  const changes = changesOf(members);
  const sent = new Set<Change>();
  const withFallback = {
    fallbacks,
    observer,
    changes: changes.length,
    deliver: (step: SinkStep, insteadOf?: string) =>
      sendTogether(changes, sent, { environment, step, insteadOf, first }),
  };
  const runResult = await runOnce(first, () => deliverWithFallback(work.sink.step, withFallback), retry);
  if (runResult.kind === 'done') {
    await settleDelivered(members, work);
    return undefined;
  }
  const delivered = members.filter(({ arrival }) => sent.has(arrival.change));
  const remaining = members.filter(({ arrival }) => !sent.has(arrival.change));
  if (delivered.length > 0) await settleDelivered(delivered, work);
  if (remaining.length > 1 && isRefused(runResult)) {
    await separate(remaining, runResult.failure, work);
    return undefined;
  }
  return settleFailed(remaining, batch, runResult, work);
}

/** Whether it may be due to one of the members: no retry helps, but the receiver accepts others. */
function isRefused({ kind, failure }: Failed): boolean {
  return kind === 'dead' && failure.code === 'TERMINAL' && !isGone(failure);
}

/** Each member is sent by itself from now on: one of them must not make all others dead letters. */
async function separate(members: readonly Member[], failure: HandlerFailure, work: BatchWork): Promise<void> {
  const { handler, message } = failure;
  const { log, clock } = work.environment;
  const fields = { handler, changes: members.length, error: message };
  log.warn('Changes were refused together: each is delivered by itself', fields);
  const parked = ({ attempts, deferredSince }: Delivery): Parked => {
    const park = { until: clock.steady(), attempts, deferredSince, reason: message, isAlone: true };
    return { kind: 'parked', why: 'waiting', failure, park };
  };
  await Promise.all(members.map(({ delivery }) => work.settle(delivery, parked(delivery))));
}

/** Each member waits or is given up. @param batch undefined if its members are not fixed. Returns the same as {@link deliver} */
async function settleFailed(
  members: readonly Member[],
  batch: Fixed | undefined,
  runResult: Failed,
  work: SinkWork,
): Promise<number | undefined> {
  const { step, gathering } = work.sink;
  await Promise.all(
    members.map(({ delivery }) => work.settle(delivery, failureFor(delivery, runResult, step.id, batch))),
  );
  if (runResult.kind === 'dead' || runResult.why !== 'waiting') return undefined;
  gathering.rateLimited(runResult.park.until);
  return runResult.park.until;
}

/** Checkpoints all members in one transaction; then each continues through the chain. */
async function settleDelivered(members: readonly Member[], work: SinkWork): Promise<void> {
  const { id } = work.sink.step;
  const ids = deliveriesOf(members).map((delivery) => delivery.id);
  await work.persistence.keepTrying('record a delivery', () => work.store.checkpointAll(ids, id));
  work.observer.deliveredTogether(id, members.length);
  const resumeMember = async ({ delivery, arrival }: Member): Promise<void> =>
    work.settle(delivery, await runOnce(delivery, arrival.resume, work.retry));
  const remaining = members.values();
  const resumeNext = async (): Promise<void> => {
    for (const member of remaining) await resumeMember(member);
  };
  // Without a later handler they only end, together in one commit.
  const atOnce = work.later.length === 0 ? members.length : Math.min(members.length, work.concurrency);
  await Promise.all(Array.from({ length: atOnce }, resumeNext));
}

/** The common failure as this member's: never sent, it may be gathered with others; perhaps arrived, only with the same members. */
function failureFor({ attempts }: Delivery, runResult: Failed, handler: string, batch: Fixed | undefined): Failed {
  if (runResult.kind === 'dead') return { ...runResult, attempts: attempts + 1 };
  const isUnsent = runResult.why === 'waiting' && batch?.isNew === true;
  const gather: ParkRequest['gather'] = { handler, batch: isUnsent ? undefined : batch?.id };
  return {
    ...runResult,
    park: { ...runResult.park, attempts: attempts + (runResult.why === 'failed' ? 1 : 0), gather },
  };
}
