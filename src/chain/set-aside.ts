/** Makes a change that seems to crash the process a dead letter before it is tried again. */
import type { Batch, Delivery } from '../store/delivery.ts';
import { HandlerFailure } from './failure.ts';
import type { Dead } from './fate.ts';

/** A change that was being worked on in this many crashes in a row is set aside. */
const MAX_CRASHES = 3;

export function isSetAside({ crashes }: Delivery): boolean {
  return crashes >= MAX_CRASHES;
}

/** @param handler the id of the handler that may be the cause */
export function setAside({ attempts }: Delivery, handler: string, activity = 'worked on'): Dead {
  const why = new Error(`set aside: it was being ${activity} during ${MAX_CRASHES} crashes in a row`);
  return { kind: 'dead', failure: new HandlerFailure(handler, why), attempts };
}

/**
 * Any member may be the cause, so all that were in the crashes are set aside, and a replay sends each alone, which reveals it.
 * Returns the rest.
 */
export async function setBatchAside(
  batch: Batch,
  { settle }: { readonly settle: (delivery: Delivery, dead: Dead) => Promise<void> },
): Promise<Batch> {
  const members = batch.deliveries.filter(isSetAside);
  if (members.length === 0) return batch;
  const others = members.length - 1;
  const activity =
    others === 0 ? 'delivered' : `delivered together with ${others} ${others === 1 ? 'other' : 'others'}`;
  const aside = (member: Delivery) => ({ ...setAside(member, batch.handler, activity), isAlone: true as const });
  await Promise.all(members.map((member) => settle(member, aside(member))));
  return { ...batch, deliveries: batch.deliveries.filter((delivery) => !isSetAside(delivery)) };
}
