/** Runs a handler on changes without a cluster, a store or a network, for handler authors' tests. */
import { idempotencyKey, type Change } from '../change.ts';
import { withParts } from '../change/lazy-change.ts';
import { lifeOf } from '../chain/life.ts';
import { handlerOfFunction, type HandlerFunction } from '../chain/handler-function.ts';
import {
  isHalt,
  type Halt,
  type HandlerContext,
  type HandlerDefinition,
  type HandlerEnvironment,
  type HandlerLife,
  type StatefulDefinition,
} from '../chain/handler.ts';
import {
  checkedDecision,
  checkedGroup,
  checkedInstance,
  checkedVerdict,
  checkWakeUp,
  sinkVerdict,
} from '../chain/verdict.ts';
import { readWatchEvents } from '../cli/watch-events.ts';
import { pathText, problemsOf } from '../config/problems.ts';
import { fetchThrough } from '../delivery/fetch-adapter.ts';
import type { Receiver, ReceiverFactory } from '../delivery/receiver.ts';
import { urlWith } from '../delivery/url-below.ts';
import { ConfigError, toError } from '../errors.ts';
import type { Json } from '../json.ts';
import { changeOf } from './change.ts';
import { FakeClock } from './fake-clock.ts';
import { testContext, testEnvironment } from './handler.ts';
import { logInto } from './log-into.ts';

export interface RehearsalOptions {
  /** As in the `[[handler]]` table, without `name` and `id`. Default: none. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Changes made with {@link changeOf}, or the output of `kubectl get -w -o json --output-watch-events`. */
  readonly changes: readonly Change[] | string;
  /** A receiver's answer. Default: 200. Anything but 200 to 299 fails the delivery. */
  readonly respond?: (request: SentRequest) => { readonly status?: number; readonly body?: string };
}

/** A request sent by a sink. */
export interface SentRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A change and its outcome. */
export interface RehearsedChange {
  readonly change: Change;
  readonly verdict: 'pass' | 'halt' | 'error';
  /** Why it was halted, or the error. */
  readonly reason: string | undefined;
  /** The change that later handlers would see; undefined unless it passed. */
  readonly passed: Change | undefined;
  /** What it sent for this change. */
  readonly sent: readonly SentRequest[];
  /** The wake-ups it asked for: milliseconds since the epoch by key; null cancels. */
  readonly wakeUps: ReadonlyMap<string, number | null>;
}

export interface Rehearsal {
  readonly changes: readonly RehearsedChange[];
  /** Lines of the handler's own log, without timestamps. */
  readonly logged: readonly { readonly level: string; readonly message: string }[];
}

/**
 * Creates and starts the handler, passes it the changes in order, each deep-frozen, and stops it. A stateful one gets back the
 * state that it returned for the key, or the group.
 * @throws ConfigError for options that its schema refuses, or a recording that cannot be read
 */
export async function rehearse(
  handler: HandlerDefinition | HandlerFunction,
  given: RehearsalOptions,
): Promise<Rehearsal> {
  const definition = typeof handler === 'function' ? handlerOfFunction('function', handler) : handler;
  const options = checkedOptions(definition, given.options ?? {});
  const changes = typeof given.changes === 'string' ? recorded(given.changes) : given.changes;
  const logged: { level: string; message: string }[] = [];
  const sent: SentRequest[] = [];
  const log = logInto(({ level, message }) => logged.push({ level, message }));
  const clock = new FakeClock();
  const receivers = recordingReceivers(sent, given.respond ?? (() => ({})));
  const id = `default/${definition.name}`;
  const call = callerOf(definition, options, testEnvironment({ id, log, clock, receivers }));
  const results: RehearsedChange[] = [];
  try {
    await call.start();
    for (const change of changes) {
      const context = testContext({ id, log, idempotencyKey: idempotencyKey(change, id) });
      const wakeUps = new Map<string, number | null>();
      const before = sent.length;
      const outcome = await outcomeOf(() => call.handle(change, context, wakeUps));
      results.push({ change, ...outcome, sent: sent.slice(before), wakeUps });
    }
  } finally {
    await call.stop();
  }
  return { changes: results, logged };
}

type Outcome = Pick<RehearsedChange, 'verdict' | 'reason' | 'passed'>;

async function outcomeOf(handle: () => Promise<Change | Halt>): Promise<Outcome> {
  try {
    const verdict = await handle();
    if (isHalt(verdict)) return { verdict: 'halt', reason: verdict.reason, passed: undefined };
    return { verdict: 'pass', reason: undefined, passed: verdict };
  } catch (thrown) {
    return { verdict: 'error', reason: toError(thrown).message, passed: undefined };
  }
}

interface Caller extends Required<HandlerLife> {
  handle(change: Change, context: HandlerContext, wakeUps: Map<string, number | null>): Promise<Change | Halt>;
}

/** A uniform interface to the three types of handlers. */
function callerOf(
  definition: HandlerDefinition,
  options: Record<string, unknown>,
  environment: HandlerEnvironment,
): Caller {
  switch (definition.type) {
    case 'sink': {
      const sink = checkedInstance(definition.create(options, environment), 'deliver');
      return {
        ...lifeOf(sink),
        handle: async (change, context) => sinkVerdict(await sink.deliver(change, context), change),
      };
    }
    case 'transform': {
      const transform = checkedInstance(definition.create(options, environment), 'handle');
      return {
        ...lifeOf(transform),
        handle: async (change, context) => checkedVerdict(await transform.handle(change, context)),
      };
    }
    case 'stateful':
      return statefulCaller(definition, options, environment);
  }
}

/** Keeps the states, by group. */
function statefulCaller(
  definition: StatefulDefinition,
  options: Record<string, unknown>,
  environment: HandlerEnvironment,
): Caller {
  const stateful = checkedInstance(definition.create(options, environment), 'handle');
  const states = new Map<string, Json>();
  const groups = new Map<string, string>();
  const groupOf = async (change: Change, context: HandlerContext) =>
    stateful.group === undefined ? change.key : checkedGroup(await stateful.group(change, context));
  return {
    ...lifeOf(stateful),
    async handle(change, context, wakeUps) {
      // A wake-up belongs to the group that asked for it, so `group` is not called.
      const isWakeUp = change.action === 'timer';
      const group = isWakeUp ? (groups.get(change.key) ?? change.key) : await groupOf(change, context);
      if (isHalt(group)) return group;
      groups.set(change.key, group);
      const wakeAt = (key: string, time: number | null) => {
        checkWakeUp(key, time);
        wakeUps.set(key, time);
        groups.set(key, group);
      };
      const now = environment.clock.steady();
      const more = { state: states.get(group), now, isWakeUp, mayBeDelivered: false, wakeAt };
      const { verdict, state } = checkedDecision(await stateful.handle(change, { ...context, ...more }));
      if (state === null) states.delete(group);
      else states.set(group, state);
      return verdict;
    },
  };
}

function checkedOptions({ name, options }: HandlerDefinition, given: object): Record<string, unknown> {
  const checked = options.safeParse(given);
  if (checked.success) return checked.data;
  const problems = problemsOf(checked.error, given, [], () => false);
  throw new ConfigError(
    problems.map(({ path, message }) => [name, ...(path.length === 0 ? [] : [pathText(path)]), message].join(': ')),
  );
}

/** The first event of an object counts as added, whatever its type, as in the service. */
function recorded(text: string): readonly Change[] {
  const known = new Map<string, object>();
  return readWatchEvents(Buffer.from(text), 'the recording').map(({ type, group, kind, key, body }, index) => {
    const objectKey = `${group} ${kind} ${key}`;
    const before = known.get(objectKey);
    const object = JSON.parse(body.toString()) as object;
    if (type === 'DELETED') known.delete(objectKey);
    else known.set(objectKey, object);
    const parts = type === 'DELETED' ? { before: object } : { after: object, ...(before && { before }) };
    return withParts(changeOf(parts), { id: index + 1 });
  });
}

/** Receivers that record what they are sent. */
function recordingReceivers(sent: SentRequest[], respond: NonNullable<RehearsalOptions['respond']>): ReceiverFactory {
  return {
    receiver({ url, accept }) {
      const receiver: Receiver = {
        async send({ method = 'POST', headers = {}, appended, body }) {
          const request = { url: urlWith(url, appended).href, method, headers, body: Buffer.from(body).toString() };
          sent.push(request);
          const result = { status: 200, body: '', headers: {}, ...respond(request) };
          if (result.status < 200 || result.status > 299) throw new Error(`the receiver answered ${result.status}`);
          accept?.(result, (text) => text);
          return result;
        },
        fetch: (idempotencyKey, signal) => fetchThrough(receiver, url, idempotencyKey, signal),
        close: async () => undefined,
      };
      return receiver;
    },
  };
}
