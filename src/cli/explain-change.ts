/** `explain --change ID`: the trip of one change, verdict by verdict, attempt by attempt. */
import { changeEntry, prettyText } from '../../handlers/log/entry.ts';
import { documentOf } from '../change/change-document.ts';
import { systemClock } from '../clock.ts';
import type { ChainConfig, HandlerConfig } from '../config/config.ts';
import { findChain } from '../config/in-chains.ts';
import { ConfigError, isConfigError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import type { DeliveryTrip, Failure, Trip } from '../store/looking-back.ts';
import type { Store } from '../store/store.ts';
import { EXIT, type CommandIo } from './command.ts';
import { withDifference } from '../../handlers/diff/difference.ts';
import { configOfState, type StateFlags } from './options.ts';
import { age, isoTime, withTimes } from './table.ts';

/** @throws ConfigError if there is no such change */
export async function explainChange(
  store: Store,
  id: number,
  flags: StateFlags & { readonly output?: 'text' | 'json' },
  io: CommandIo,
): Promise<number> {
  const trip = await store.trip(id);
  if (trip === undefined) throw await unknownChange(store, id);
  if (flags.output === 'json') io.stdout.write(`${printable(JSON.stringify(documentOfTrip(trip)))}\n`);
  else io.stdout.write(textOf(trip, await configuredChains(flags, io)));
  return EXIT.ok;
}

/** The change may have been pruned, or not accepted yet. */
async function unknownChange(store: Store, id: number): Promise<ConfigError> {
  const [[oldest], [newest]] = await Promise.all([
    store.history({ limit: 1 }),
    store.history({ limit: 1, newestFirst: true }),
  ]);
  const kept =
    oldest === undefined || newest === undefined
      ? 'no changes are recorded'
      : `${oldest.id} to ${newest.id} are recorded`;
  return new ConfigError([`No change has the id ${id}: ${kept}; \`watchchain history\` shows them`]);
}

/** Only the configuration tells which handlers a chain has passed; without one, only what was recorded is shown. */
async function configuredChains(flags: StateFlags, io: CommandIo): Promise<readonly ChainConfig[]> {
  try {
    return (await configOfState(flags, io)).chains;
  } catch (thrown) {
    if (isConfigError(thrown)) return [];
    throw thrown;
  }
}

function documentOfTrip({ change, deliveries }: Trip) {
  return {
    change: documentOf(change),
    deliveries: deliveries.map(({ dueAt, endedAt, failures, ...rest }) => ({
      ...rest,
      ...(dueAt === undefined ? {} : { dueAt: isoTime(dueAt) }),
      ...(endedAt === undefined ? {} : { endedAt: isoTime(endedAt) }),
      failures: failures.map(withTimes),
    })),
  };
}

function textOf({ change, deliveries }: Trip, chains: readonly ChainConfig[]): string {
  const parts = deliveries.map((delivery) => {
    const chain = findChain(chains, delivery.chain);
    const handlers = chain?.handlers;
    // Without a configuration the chains are unknown.
    const isOrphan = chain === undefined && chains.length > 0 && WAITING_STATES.has(delivery.state);
    const lines = [
      `${delivery.chain}: ${isOrphan ? 'waits for a chain of that name, which is not configured' : stateOf(delivery)}`,
      ...stepsOf(delivery, handlers).map((line) => `  ${line}`),
    ];
    return lines.map(printable).join('\n');
  });
  const none = deliveries.length === 0 ? ['No chain receives it.'] : [];
  const summary = prettyText(changeEntry(withDifference(change)), { color: false });
  return [`Change ${change.id}: ${summary}`, ...none, ...parts].join('\n\n').concat('\n');
}

const WAITING_STATES: ReadonlySet<DeliveryTrip['state']> = new Set(['ready', 'blocked', 'parked']);

function stateOf({ state, handler, reason, endedAt, dueAt, replayed, mergedUpTo }: DeliveryTrip): string {
  const at = endedAt === undefined ? '' : ` at ${isoTime(endedAt)}`;
  const together = mergedUpTo === undefined ? '' : `, merged with the changes that followed, up to ${mergedUpTo}`;
  const again = `${together}${replayed ? ', after a replay' : ''}`;
  switch (state) {
    case 'superseded':
      return `superseded${at}: ${reason ?? ''}`;
    case 'completed':
      return `completed${at}${again}`;
    // The time of the discard is not recorded.
    case 'discarded':
      return `given up${at}${again}, since discarded`;
    case 'halted':
      return `halted by ${handler ?? 'its chain'}${at}${again}: ${reason ?? ''}`;
    case 'dead':
      return `given up${at}${again}, kept as a dead letter: ${reason ?? ''}`;
    case 'ready':
      return `running, or about to run${again}`;
    case 'blocked':
      return `waits for an earlier change of the same object${again}`;
    case 'parked':
      return `waits until ${isoTime(dueAt ?? 0)} (in ${age((dueAt ?? 0) - systemClock.now())})${again}: ${reason ?? ''}`;
  }
}

/** A line for each handler, with its failures below. */
function stepsOf(delivery: DeliveryTrip, handlers: readonly HandlerConfig[] | undefined): readonly string[] {
  const failed = new Set(delivery.failures.map(({ handler }) => handler));
  const ids = handlers?.map(({ id }) => id) ?? [...new Set([...delivery.delivered, ...failed])];
  const spares = new Map(handlers?.flatMap(({ id, fallback }) => (fallback === undefined ? [] : [[fallback.id, id]])));
  const gone = [...failed].filter((id) => !ids.includes(id));
  const width = Math.max(0, ...[...ids, ...gone].map((id) => id.length));
  const lineOf = (id: string, verdict: string) => [
    `${id.padEnd(width)}  ${verdict}`,
    ...delivery.failures.filter(({ handler }) => handler === id).map((failure) => `  ${failureText(failure)}`),
  ];
  return [
    ...ids.flatMap((id, n) => {
      const owner = spares.get(id);
      if (owner !== undefined) return lineOf(id, `only as a fallback for ${owner}`);
      return lineOf(id, verdictOf(delivery, ids, n, handlers?.[n]?.definition.type === 'sink'));
    }),
    ...gone.flatMap((id) => lineOf(id, 'is no longer configured')),
  ];
}

/** Derived from the order of the chain: all handlers before the one that ended it let the change pass. */
function verdictOf(delivery: DeliveryTrip, ids: readonly string[], n: number, isSink: boolean): string {
  const { state, handler, reason, delivered, failures } = delivery;
  const id = ids[n] ?? '';
  const passed = isSink ? 'delivered' : 'passed';
  if (state === 'completed' || delivered.includes(id)) return delivered.includes(id) ? 'delivered' : passed;
  if (state === 'superseded') return 'not run';
  const last = handler ?? failures.at(-1)?.handler;
  const stop = last === undefined ? -1 : ids.indexOf(last);
  if (n < stop) return passed;
  if (n > stop) return 'not reached';
  return state === 'halted' ? `halted: ${reason ?? ''}` : 'failed';
}

function failureText({ outcome, attempt, error, at, times, lastAt }: Failure): string {
  const when = isoTime(at);
  if (outcome === 'deferred') {
    const often = times === 1 ? '' : `, ${times} times until ${isoTime(lastAt)}`;
    return `${when}  deferred${often}: ${error}`;
  }
  return `${when}  attempt ${attempt} failed${outcome === 'dead' ? ', the last one' : ''}: ${error}`;
}
