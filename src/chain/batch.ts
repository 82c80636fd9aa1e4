/** Delivers changes that waited at one sink together: members are stored before the first attempt, the outcome is per member. */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { idempotencyKey, type Change } from '../change.ts';
import type { Evidence } from '../enrich/evidence.ts';
import type { Enricher } from '../enrich/involved.ts';
import { allWithInvolved } from '../enrich/needs.ts';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Batch, Delivery, ParkRequest } from '../store/delivery.ts';
import type { Store } from '../store/store.ts';
import type { Gather } from './attempt.ts';
import { withDeadline, type Call, type RunningCalls } from './deadline.ts';
import { HandlerFailure, isGone } from './failure.ts';
import { deliverWithFallback, type Fallbacks } from './fallback.ts';
import type { Arrival, Failed, Outcome, Parked } from './fate.ts';
import type { Gathering, GatherWait } from './gathering.ts';
import type { HandlerContext } from './handler.ts';
import type { Observer } from './observe.ts';
import type { Persistence } from './persistence.ts';
import { runOnce, type RunResult, type RetryOptions } from './retry.ts';
import { setBatchAside } from './set-aside.ts';
import { CallContext, type SinkStep } from './step.ts';
import { checkedCount } from './verdict.ts';

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
  readonly fallbacks: Fallbacks;
  /** The sink, and when it waits; undefined if it left the configuration. */
  readonly sink: { readonly step: SinkStep; readonly gathering: Gathering } | undefined;
  /** The ids of the handlers after the sink. */
  readonly later: readonly string[];
  /** Most members in these handlers at once. */
  readonly concurrency: number;
  /** How a change that is in no batch waits. */
  readonly gather: Gather;
  attempt(delivery: Delivery, gather: Gather): Promise<Outcome>;
  settle(delivery: Delivery, runResult: RunResult<Outcome>): Promise<void>;
  release(delivery: Delivery): Promise<void>;
}

interface Member {
  readonly delivery: Delivery;
  readonly arrival: Arrival;
}

const changesOf = (members: readonly Member[]): readonly Change[] => members.map(({ arrival }) => arrival.change);

/** Members prepared per turn of the event loop. */
const MEMBERS_PER_TURN = 32;

/** Never rejects: each member is settled or released. */
export async function runBatch(claimed: Batch, work: BatchWork): Promise<void> {
  const batch = await setBatchAside(claimed, work);
  const { sink } = work;
  if (sink === undefined) return deliverSingly(batch.deliveries, work, work.gather);
  const arrived = await collectArrivals(batch, work);
  if (arrived.length === 0) return;
  if (batch.id !== undefined) return void (await deliver(arrived, batch.id, sink, work));
  if (arrived.length === 1 || sink.gathering.areFew(changesOf(arrived))) {
    const deliveries = arrived.map(({ delivery }) => delivery);
    return deliverSingly(deliveries, work, gatherAt(batch.handler, undefined, work));
  }
  const known = await addInvolved(arrived, sink, work);
  if (known === undefined) return;
  const fitting = countFitting(changesOf(known), sink.step, work);
  const members = known.slice(0, fitting);
  const fix = () => work.store.fixBatch(members.map(({ delivery }) => delivery.id));
  const id = await work.persistence.keepTrying('fix the members of a batch', fix);
  const until = id === undefined ? undefined : await deliver(members, id, sink, work);
  const settleRest = ({ delivery, arrival }: Member): Promise<void> =>
    until === undefined
      ? work.release(delivery)
      : work.settle(delivery, { kind: 'done', result: { ...arrival, wait: { until } } });
  await Promise.all(arrived.slice(id === undefined ? 0 : fitting).map(settleRest));
}

function countFitting(changes: readonly Change[], { id, instance }: SinkStep, { log }: BatchWork): number {
  if (instance.deliverMany === undefined) return 1;
  try {
    return checkedCount(instance.fits?.(changes) ?? changes.length);
  } catch (thrown) {
    log.error('Handler failed to say how many changes fit into a message', {
      handler: id,
      error: toError(thrown).message,
    });
    return 1;
  }
}

/** Members wait `here` at the sink of their batch, at later ones like any change, and at earlier ones not again. */
function gatherAt(handler: string, here: GatherWait | undefined, { gather, later }: BatchWork): Gather {
  const wait: Gather['wait'] = (sink, change) => (later.includes(sink) ? gather.wait(sink, change) : undefined);
  return { ...gather, wait: (sink, change) => (sink === handler ? here : wait(sink, change)) };
}

/** Delivers them one by one, in order. */
async function deliverSingly(deliveries: readonly Delivery[], work: BatchWork, gather: Gather): Promise<void> {
  for (const delivery of deliveries) {
    await work.settle(delivery, await runOnce(delivery, () => work.attempt(delivery, gather), work.retry));
  }
}

/** Runs the handlers before the sink again, as their results are not stored. Settles members that do not reach the sink. */
async function collectArrivals({ deliveries, handler }: Batch, work: BatchWork): Promise<readonly Member[]> {
  const gather = gatherAt(handler, { until: 0 }, work);
  const arrived: Member[] = [];
  for (const [n, delivery] of deliveries.entries()) {
    if (n % MEMBERS_PER_TURN === MEMBERS_PER_TURN - 1) await nextTurn();
    const runResult = await runOnce(delivery, () => work.attempt(delivery, gather), work.retry);
    if (runResult.kind === 'done' && 'resume' in runResult.result && runResult.result.at === handler) {
      arrived.push({ delivery, arrival: runResult.result });
    } else await work.settle(delivery, runResult);
  }
  return arrived;
}

type Sink = NonNullable<BatchWork['sink']>;

/** Adds what is read of the involved objects, as it lengthens the message. Undefined if that is not available now; all wait. */
async function addInvolved(
  members: readonly Member[],
  sink: Sink,
  work: BatchWork,
): Promise<readonly Member[] | undefined> {
  const { step } = sink;
  if (step.need === undefined) return members;
  const message = { members, first: representativeOf(members) };
  const ask = (contextFor: ContextFor) => allWithInvolved(changesOf(members), step.need, contextFor);
  const runResult = await runOnce(message.first, () => callWithDeadline(message, step, work, ask), work.retry);
  if (runResult.kind === 'done') {
    return members.map(({ delivery, arrival }, n) => {
      return { delivery, arrival: { ...arrival, change: runResult.result[n] ?? arrival.change } };
    });
  }
  await settleFailed(members, undefined, runResult, sink, work);
  return undefined;
}

/** The members succeed or fail together: the one with the most attempts left decides for all. */
function representativeOf(members: readonly Member[]): Delivery {
  return members.map(({ delivery }) => delivery).reduce((a, b) => (b.attempts < a.attempts ? b : a));
}

/** Returns until when the receiver's rate limit allows no message, if that is why nothing was sent. */
async function deliver(
  members: readonly Member[],
  id: number,
  sink: Sink,
  work: BatchWork,
): Promise<number | undefined> {
  const { step } = sink;
  const first = representativeOf(members);
  const alreadySent = new Set<Member>();
  const withFallback = {
    fallbacks: work.fallbacks,
    observer: work.observer,
    changes: members.length,
    deliver: (by: SinkStep, insteadOf?: string) => sendAll({ members, first, insteadOf }, alreadySent, by, work),
  };
  const runResult = await runOnce(first, () => deliverWithFallback(step, withFallback), work.retry);
  if (runResult.kind === 'done') {
    await settleDelivered(members, step, work);
    return undefined;
  }
  const remaining = members.filter((member) => !alreadySent.has(member));
  if (remaining.length < members.length) await settleDelivered([...alreadySent], step, work);
  if (remaining.length > 1 && isRefused(runResult)) {
    await separate(remaining, runResult.failure, work);
    return undefined;
  }
  return settleFailed(remaining, id, runResult, sink, work);
}

/** Whether it may be due to one of the members: no retry helps, but the receiver accepts others. */
function isRefused({ kind, failure }: Failed): boolean {
  return kind === 'dead' && failure.code === 'TERMINAL' && !isGone(failure);
}

/** Each member is sent by itself from now on: one of them must not make all others dead letters. */
async function separate(members: readonly Member[], failure: HandlerFailure, work: BatchWork): Promise<void> {
  const { handler, message } = failure;
  const fields = { handler, changes: members.length, error: message };
  work.log.warn('Changes were refused together: each is delivered by itself', fields);
  const parked = ({ attempts, deferredSince }: Delivery): Parked => {
    const park = { until: work.retry.clock.steady(), attempts, deferredSince, reason: message, isAlone: true };
    return { kind: 'parked', why: 'waiting', failure, park };
  };
  await Promise.all(members.map(({ delivery }) => work.settle(delivery, parked(delivery))));
}

/** Each member waits or is given up. @param id of the batch, if its members are fixed. Returns the same as {@link deliver} */
async function settleFailed(
  members: readonly Member[],
  id: number | undefined,
  runResult: Failed,
  { step, gathering }: Sink,
  work: BatchWork,
): Promise<number | undefined> {
  await Promise.all(members.map(({ delivery }) => work.settle(delivery, failureFor(delivery, runResult, step.id, id))));
  if (runResult.kind === 'dead' || runResult.why !== 'waiting') return undefined;
  gathering.rateLimited(runResult.park.until);
  return runResult.park.until;
}

interface Message {
  readonly members: readonly Member[];
  readonly first: Delivery;
  readonly insteadOf?: string | undefined;
}

/**
 * Sends all in one message; a fallback needs several if fewer members fit into its messages than into those of its sink.
 *
 * @param alreadySent members already sent by a fallback before it failed or had to wait: not sent again; grows with each message
 */
async function sendAll(
  { members: all, first, insteadOf }: Message,
  alreadySent: Set<Member>,
  step: SinkStep,
  work: BatchWork,
): Promise<void> {
  let remaining = all.filter((member) => !alreadySent.has(member));
  while (remaining.length > 0) {
    const size = insteadOf === undefined ? remaining.length : countFitting(changesOf(remaining), step, work);
    const members = remaining.slice(0, size);
    remaining = remaining.slice(size);
    // Each message has a deadline of its own.
    await callWithDeadline({ members, first, insteadOf }, step, work, async (contextFor) => {
      const known = await allWithInvolved(changesOf(members), step.need, contextFor);
      if (step.instance.deliverMany !== undefined) {
        const own = { log: work.log.child({ handler: step.id }), idempotencyKey: keyOf(known, step.id) };
        await step.instance.deliverMany(known, { ...contextFor(first.change), ...own });
      } else for (const change of known) await step.instance.deliver(change, contextFor(change));
    });
    for (const member of members) alreadySent.add(member);
  }
}

type ContextFor = (change: Change) => HandlerContext;

/** Runs within the sink's deadline. @throws HandlerFailure */
async function callWithDeadline<T>(
  { first, insteadOf }: Message,
  step: SinkStep,
  { log, enricher, evidence, retry, calls }: BatchWork,
  run: (contextFor: ContextFor) => Promise<T>,
): Promise<T> {
  const begin = (call: Call): Promise<T> => {
    const circumstances = { attempt: first.attempts + 1, call, log, enricher, evidence, insteadOf };
    return run((change) => new CallContext(step, change, circumstances));
  };
  try {
    return await withDeadline(begin, { clock: retry.clock, ms: step.deadlineMs, calls });
  } catch (thrown) {
    throw new HandlerFailure(step.id, thrown, step.hide);
  }
}

/** Checkpoints all members in one transaction; then each continues through the chain. */
async function settleDelivered(members: readonly Member[], step: SinkStep, work: BatchWork): Promise<void> {
  const ids = members.map(({ delivery }) => delivery.id);
  await work.persistence.keepTrying('record a delivery', () => work.store.checkpointAll(ids, step.id));
  work.observer.deliveredTogether(step.id, members.length);
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

/** The common failure as this member's: unsent, it may be gathered with others; perhaps arrived, only with the same members. */
function failureFor({ attempts }: Delivery, runResult: Failed, handler: string, id: number | undefined): Failed {
  if (runResult.kind === 'dead') return { ...runResult, attempts: attempts + 1 };
  const gather: ParkRequest['gather'] = { handler, batch: runResult.why === 'waiting' ? undefined : id };
  return {
    ...runResult,
    park: { ...runResult.park, attempts: attempts + (runResult.why === 'failed' ? 1 : 0), gather },
  };
}

/** The hash of the members' keys: the same for every attempt, even after restarts. */
function keyOf(changes: readonly Change[], handler: string): string {
  const keys = changes.map((change) => idempotencyKey(change, handler)).join('\n');
  const hash = createHash('sha256').update(keys).digest('hex').slice(0, 32);
  return `${changes[0]?.cluster.id ?? ''}|batch:${hash}|${handler}`;
}
