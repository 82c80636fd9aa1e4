/** Sends several changes in one message, or in a few. */
import { createHash } from 'node:crypto';
import { idempotencyKey, type Change } from '../change.ts';
import { allWithInvolved } from '../enrich/needs.ts';
import { toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Delivery } from '../store/delivery.ts';
import { CallContext, type CallEnvironment } from './call.ts';
import { withDeadline, type Call } from './deadline.ts';
import { HandlerFailure } from './failure.ts';
import type { HandlerContext } from './handler.ts';
import type { SinkStep } from './step.ts';
import { checkedCount } from './verdict.ts';

/** One attempt to send changes together. */
export interface Sending {
  readonly environment: CallEnvironment;
  readonly step: SinkStep;
  /** The sink whose fallback `step` is. */
  readonly insteadOf?: string | undefined;
  /** Of one of the changes: whose attempts are counted, and whose key the log shows. */
  readonly first: Delivery;
}

/** How many of these changes, in order, fit into one message. */
export function countFitting(changes: readonly Change[], { id, instance }: SinkStep, log: Logger): number {
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

/** Adds to each change what the sink's templates read of the object it is about. @throws HandlerFailure */
export function addInvolved(changes: readonly Change[], sending: Sending): Promise<readonly Change[]> {
  return callWithDeadline(sending, (contextFor) => allWithInvolved(changes, sending.step.need, contextFor));
}

/**
 * Sends all in one message; a fallback needs several if fewer changes fit into its messages than into those of its sink.
 *
 * @param sent changes that a fallback sent before it failed or had to wait: not sent again; grows with each message
 * @throws HandlerFailure
 */
export async function sendTogether(all: readonly Change[], sent: Set<Change>, sending: Sending): Promise<void> {
  const { step, insteadOf, first, environment } = sending;
  let remaining = all.filter((change) => !sent.has(change));
  while (remaining.length > 0) {
    const size = insteadOf === undefined ? remaining.length : countFitting(remaining, step, environment.log);
    const changes = remaining.slice(0, size);
    remaining = remaining.slice(size);
    // Each message has a deadline of its own.
    await callWithDeadline(sending, async (contextFor) => {
      const known = await allWithInvolved(changes, step.need, contextFor);
      if (step.instance.deliverMany !== undefined) {
        const own = { log: environment.log.child({ handler: step.id }), idempotencyKey: keyOf(known, step.id) };
        await step.instance.deliverMany(known, { ...contextFor(first.change), ...own });
      } else for (const change of known) await step.instance.deliver(change, contextFor(change));
    });
    for (const change of changes) sent.add(change);
  }
}

/** @throws HandlerFailure */
async function callWithDeadline<T>(
  { environment, step, insteadOf, first }: Sending,
  run: (contextFor: (change: Change) => HandlerContext) => Promise<T>,
): Promise<T> {
  const { clock, calls } = environment;
  const begin = (call: Call): Promise<T> => {
    const circumstances = { environment, call, attempt: first.attempts + 1, insteadOf };
    return run((change) => new CallContext(step, change, circumstances));
  };
  try {
    return await withDeadline(begin, { clock, ms: step.deadlineMs, calls });
  } catch (thrown) {
    throw new HandlerFailure(step.id, thrown, step.hide);
  }
}

/** The hash of the changes' keys: the same for every attempt, even after restarts. */
function keyOf(changes: readonly Change[], handler: string): string {
  const keys = changes.map((change) => idempotencyKey(change, handler)).join('\n');
  const hash = createHash('sha256').update(keys).digest('hex').slice(0, 32);
  return `${changes[0]?.cluster.id ?? ''}|batch:${hash}|${handler}`;
}
