/**
 * The handler contract. A handler is one file in `handlers/` (or the user's own), whose default export is made by
 * {@link defineTransform} or {@link defineSink}; a user's file may also export a plain function `(change, context)`.
 */
import type { z } from 'zod';
import type { Change } from '../change.ts';
import type { Clock } from '../clock.ts';
import type { ReceiverFactory } from '../delivery/receiver.ts';
import type { Evidence } from '../enrich/evidence.ts';
import type { Involved, ObjectReference } from '../enrich/involved.ts';
import type { CounterFactory } from '../handler-counters.ts';
import type { Interest } from '../interest.ts';
import type { Json } from '../json.ts';
import type { Logger } from '../log.ts';

/** A transform's answer to stop a change: intended, with a reason, never an error. */
export interface Halt {
  readonly halted: true;
  /** For people: `no difference`, `kind "Pod" is not matched`. */
  readonly reason: string;
}

export function halt(reason: string): Halt {
  return { halted: true, reason };
}

export function isHalt(verdict: unknown): verdict is Halt {
  return typeof verdict === 'object' && verdict !== null && 'halted' in verdict && verdict.halted === true;
}

/** What a handler may know and use while it works on one change. */
export interface HandlerContext {
  /** `chain/name`, or `chain/id`. */
  readonly id: string;
  /** Aborts at the handler's deadline and when the process stops. Pass it to everything that waits. */
  readonly signal: AbortSignal;
  /** The service's own log, already with chain, handler and key. Never log a secret. */
  readonly log: Logger;
  /** The same for every attempt: see `idempotencyKey` in change.ts. */
  readonly idempotencyKey: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** The id of the sink for which this one stands in as its fallback: worth mentioning in the message. */
  readonly insteadOf?: string | undefined;
  /** W3C Trace Context of this call, for a header of that name; undefined if the change is not traced. */
  readonly traceparent?: string | undefined;
  /**
   * What the change is about: for a Kubernetes Event the object that it involves, otherwise the changed object itself.
   * Taken from a baseline if the object is watched, else asked of the cluster, once a minute and at a limited rate. An object
   * that is gone, forbidden or not served is no error, see `deleted` and `known`; undefined if an Event names no object. Throws a
   * `WaitError` to wait for its turn and a `RetryAfterError` while the API server fails: let them through, they cost no attempt.
   */
  readonly involved: (change: Change) => Promise<Involved | undefined>;
  /** The top owner of that object: pod -> replica set -> deployment. The object itself if it has none. See {@link involved}. */
  readonly topOwner: (change: Change) => Promise<ObjectReference | undefined>;
  /** The namespace of that object, with the namespace's labels and annotations; undefined if it has none. See {@link involved}. */
  readonly namespaceOf: (change: Change) => Promise<Involved | undefined>;
  /** What may explain a change: the recorded history, current manifests, Events and logs. */
  readonly evidence: Evidence;
}

/** What a stateful transform also gets. */
export interface StatefulContext<S extends Json> extends HandlerContext {
  /** The state for this key, undefined at first. */
  readonly state: S | undefined;
  /** Milliseconds since the epoch. Setting the clock affects it only from the next start on, like the times of `wakeAt`. */
  readonly now: number;
  /** Whether it asked for this `timer` itself; in a branch, that of an earlier handler is a change like any other. */
  readonly isWakeUp: boolean;
  /** Whether a receiver may know of this change already: a sink has delivered it, or an attempt failed or was cut off. */
  readonly mayBeDelivered: boolean;
  /**
   * Asks to be called again for `key` at `time` (milliseconds since the epoch) with action `timer`; null cancels. Durable,
   * committed with the state. A group has a single wake-up: the last request replaces any other, and determines the `key`.
   */
  readonly wakeAt: (key: string, time: number | null) => void;
}

/** What a sink remembers between changes, by key: durable, small, dropped 30 days after it was last written. */
export interface SinkMemory {
  /** Undefined if there is nothing under the key. */
  get(key: string): Promise<Json | undefined>;
  /** Durable when it resolves; `null` forgets it. */
  set(key: string, value: Json | null): Promise<void>;
}

/** What `create` may use: made once at the start, for each place in the configuration. */
export interface HandlerEnvironment {
  /** {@link HandlerContext.id}. */
  readonly id: string;
  /** Of the cluster, for people. */
  readonly clusterName: string;
  /** The service's own log. Never log a secret. */
  readonly log: Logger;
  readonly clock: Clock;
  /** For sinks: the only way to send anything. */
  readonly receivers: ReceiverFactory;
  /** For sinks; a transform that remembers must be a stateful one. */
  readonly memory: SinkMemory;
  /** For counters of its own at `/metrics`. */
  readonly counters: CounterFactory;
  /** Where `log` and similar handlers write; `process.stdout` except in tests. */
  readonly stdout: NodeJS.WritableStream;
}

/** A handler's life: `create` (no I/O) -> `start` -> `handle`/`deliver` many times -> `stop`. */
export interface HandlerLife {
  /** Has 30 s. If it throws, the service does not start, or a reload changes nothing. */
  start?(): Promise<void>;
  /** Called once for each `create`, even if `start` failed, was cut off, or was not called because an earlier one failed. Has 5 s. */
  stop?(): Promise<void>;
}

export interface TransformInstance extends HandlerLife {
  /**
   * Returns the change, or a copy with more notes, to pass it; or {@link halt}. Never mutates. Anything thrown is a failed attempt
   * (see errors.ts for the exceptions).
   */
  handle(change: Change, context: HandlerContext): Change | Halt | Promise<Change | Halt>;
}

export interface StatefulInstance<S extends Json> extends HandlerLife {
  /**
   * Names the group that shares a state, if that is not the object: from here on the changes of a group are handled in order, one
   * at a time, with one state and one wake-up. Called once per change, which may halt here without waiting for its group, and
   * never for a wake-up. May be called again for a change whose group was busy. No other handler of the chain can keep state.
   */
  group?(change: Change, context: HandlerContext): string | Halt | Promise<string | Halt>;
  /**
   * Returns the verdict and the new state of the key or group (`null` forgets it), committed together with the end of the change:
   * a retry or a crash never counts twice. Sees every change, and its own wake-ups as action `timer`. Has 10 s; anything thrown is
   * a failed attempt (see errors.ts for the exceptions), which leaves the state as it was.
   */
  handle(
    change: Change,
    context: StatefulContext<S>,
  ):
    | { readonly verdict: Change | Halt; readonly state: S | null }
    | Promise<{ readonly verdict: Change | Halt; readonly state: S | null }>;
}

export interface SinkInstance extends HandlerLife {
  /**
   * Resolves when the receiver has accepted; anything thrown is a failed attempt (see errors.ts for the exceptions). Resolving to
   * nothing or the change itself passes it on: the delivery is checkpointed, and not repeated for this change. {@link halt} stops
   * it here. A copy with more notes passes on without a checkpoint, as notes are not stored: if a later handler fails or waits,
   * the sink is called again, with the same idempotency key.
   */
  deliver(change: Change, context: HandlerContext): Promise<Change | Halt | void>;
  /** What it would send, on one line and without secrets: for `watchchain test`, which does not deliver. Throws as `deliver`. */
  preview?(change: Change, context: HandlerContext): string | Promise<string>;
  /**
   * The same for several changes of different objects in one message, all or none. Used for changes that come faster than the
   * receiver takes them, those of a `digest`, and those that happened while nothing was watching. The set of
   * changes is stored before the first attempt: each attempt has the same ones, in the same order, with the same key.
   */
  deliverMany?(changes: readonly Change[], context: HandlerContext): Promise<void>;
  /** How many of these changes, from the first on, fit into one message. Default: all, up to 1,000. */
  fits?(changes: readonly Change[]): number;
}

/** When changes are sent together: in a window, up to `over` go one by one, the rest when it ends, or when `max` are waiting. */
export interface BatchWindow {
  /** Milliseconds. */
  readonly windowMs: number;
  readonly over: number;
  readonly max: number;
}

/** What a handler requests from the cluster beyond what its chain watches: `watchchain rbac` grants exactly that. */
export interface ClusterQuestions {
  /** It looks up the objects that changes (or only Events) involve, their owners and namespaces; only the user knows of which kinds. */
  readonly involved?: boolean | 'of Events';
  /** Needed wherever something is watched: `{ group: '', resource: 'pods/log', verbs: ['get'] }`. */
  readonly access?: readonly { readonly group: string; readonly resource: string; readonly verbs: readonly string[] }[];
}

/** A kind that the handler's chain watches. */
export interface WatchedKind {
  readonly group: string;
  readonly kind: string;
  /** Its plural, as in URLs. */
  readonly resource: string;
}

/** A configuration example: shown in the docs, loaded by a test. */
export interface HandlerExample {
  readonly title: string;
  /** The `[[handler]]` table as TOML. */
  readonly toml: string;
}

interface Described<Options extends z.ZodObject> {
  /** The `name` in config.toml; the file's name. */
  readonly name: string;
  /** One sentence: what it does, for whoever configures it. */
  readonly summary: string;
  /** More, as Markdown: what halts, what is delivered, what is guaranteed. */
  readonly description: string;
  /**
   * A strict object; each field has a description with its unit in words, its default if any, and an example:
   * `z.boolean().default(false).describe('...').meta({ example: true })`.
   */
  readonly options: Options;
  readonly examples: readonly HandlerExample[];
  /**
   * What can have no effect in a chain that watches only these kinds, all built in: a warning for each, which follows the
   * handler's name and precedes `, but this chain watches Pod`: `halts everything: its kind is Node`. Default: nothing.
   */
  readonly idle?: (options: z.output<Options>, kinds: readonly WatchedKind[]) => readonly string[];
  /** It starts programs, which the user has to allow when starting the service. */
  readonly runsPrograms?: true;
  /** Which fields it reads, given its options. Default: all. */
  readonly reads?: (options: z.output<Options>) => Interest;
  /** It looks up `involved` for its templates by itself, if it gets to them. By default that is done before it is called. */
  readonly looksUpInvolved?: true;
  /** What it requests from the cluster itself, given its options. Default: nothing. */
  readonly asks?: (options: z.output<Options>) => ClusterQuestions;
}

export interface TransformDefinition<Options extends z.ZodObject = z.ZodObject> extends Described<Options> {
  readonly type: 'transform';
  /** It halts every update outside what it reads, so that the handlers after it read no more than it does. */
  readonly gate?: boolean;
  /** It also gets what a wake-up of a later handler leads to, although that began behind it. */
  readonly holdsWakeUps?: true;
  /** Deadline of `handle` in milliseconds, given its options. Default: 10 s. */
  readonly deadlineMs?: (options: z.output<Options>) => number;
  create(options: z.output<Options>, environment: HandlerEnvironment): TransformInstance;
}

export interface StatefulDefinition<
  Options extends z.ZodObject = z.ZodObject,
  S extends Json = Json,
> extends Described<Options> {
  readonly type: 'stateful';
  /** Field roots that it cannot work without, given its options: refused behind a gate that leaves one of them out. */
  readonly needs?: (options: z.output<Options>) => readonly string[];
  create(options: z.output<Options>, environment: HandlerEnvironment): StatefulInstance<S>;
}

export interface SinkDefinition<Options extends z.ZodObject = z.ZodObject> extends Described<Options> {
  readonly type: 'sink';
  /** Per-attempt deadline of `deliver` and `deliverMany` in milliseconds, given its options. Default: 30 s. */
  readonly deadlineMs?: (options: z.output<Options>) => number;
  /** For a receiver that takes changes in batches, given its options; a `digest` in the configuration takes precedence. */
  readonly batch?: (options: z.output<Options>) => BatchWindow;
  create(options: z.output<Options>, environment: HandlerEnvironment): SinkInstance;
}

export type HandlerDefinition = TransformDefinition | StatefulDefinition | SinkDefinition;

/** Infers the options from the schema; the result has their type erased, as the schema checks them before `create`. */
export function defineTransform<Options extends z.ZodObject>(
  definition: Omit<TransformDefinition<Options>, 'type'>,
): TransformDefinition {
  return { ...definition, type: 'transform' } as unknown as TransformDefinition;
}

export function defineStateful<Options extends z.ZodObject, S extends Json>(
  definition: Omit<StatefulDefinition<Options, S>, 'type'>,
): StatefulDefinition {
  return { ...definition, type: 'stateful' } as unknown as StatefulDefinition;
}

export function defineSink<Options extends z.ZodObject>(
  definition: Omit<SinkDefinition<Options>, 'type'>,
): SinkDefinition {
  return { ...definition, type: 'sink' } as unknown as SinkDefinition;
}
