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
import type { Interest } from '../interest.ts';
import type { Json } from '../json.ts';
import type { Logger } from '../log.ts';

/** A transform's answer when the change goes no further: intended, with a reason, never an error. */
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
  /** The service's own log, with chain, handler and key already in it. Never log a secret. */
  readonly log: Logger;
  /** The same for every attempt: see `idempotencyKey` in change.ts. */
  readonly idempotencyKey: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** The id of the sink that this one tells in place of, as its fallback: worth a word in the message. */
  readonly insteadOf?: string | undefined;
  /** W3C Trace Context of this call, for a header of that name; undefined where the change is not traced. */
  readonly traceparent?: string | undefined;
  /**
   * What the change is about: of a Kubernetes Event the object that it involves, of anything else the changed object itself.
   * Taken from a baseline where the object is watched, else asked of the cluster, once a minute and at a limited rate. What is
   * gone, forbidden or not served is no error, see `deleted` and `known`; undefined when an Event names no object. Throws a
   * `WaitError` when its turn comes later and a `RetryAfterError` while the API server fails: let them pass, they cost no attempt.
   */
  readonly involved: (change: Change) => Promise<Involved | undefined>;
  /** Whose that object is in the end: pod -> replica set -> deployment. The object itself when nobody owns it. As {@link involved}. */
  readonly topOwner: (change: Change) => Promise<ObjectReference | undefined>;
  /** In which namespace that object is, with the namespace's own labels and annotations; undefined where it is in none. As {@link involved}. */
  readonly namespaceOf: (change: Change) => Promise<Involved | undefined>;
  /** What explains a change: the recorded history, manifests that are held, Events and logs. */
  readonly evidence: Evidence;
}

/** What a stateful transform also gets. */
export interface StatefulContext<S extends Json> extends HandlerContext {
  /** The state of this key, undefined at first. */
  readonly state: S | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /**
   * Ask to be called again for `key` at `time` (milliseconds since the epoch) with action `timer`; null cancels. Durable, committed
   * with the state. In a group the wake-up is the group's: the last one asked for replaces any other, and has this `key`.
   */
  readonly wakeAt: (key: string, time: number | null) => void;
}

/** What a sink keeps for itself between changes, by key: durable, small, gone 30 days after it was last written. */
export interface SinkMemory {
  get(key: string): Promise<Json | undefined>;
  /** Durable when it resolves; `null` forgets it. */
  set(key: string, value: Json | null): Promise<void>;
}

/** What `create` may use: made once at the start, for each place in the configuration. */
export interface HandlerEnvironment {
  readonly id: string;
  readonly clusterName: string;
  readonly log: Logger;
  readonly clock: Clock;
  /** The one way out, for sinks. */
  readonly receivers: ReceiverFactory;
  /** For sinks; a transform that remembers is a stateful one. */
  readonly memory: SinkMemory;
  /** Where `log` and its like write; `process.stdout` but for tests. */
  readonly stdout: NodeJS.WritableStream;
}

/** A handler's life: `create` (no I/O) -> `start` -> `handle`/`deliver` many times -> `stop`. */
export interface HandlerLife {
  start?(): Promise<void>;
  /** Also called when `start` failed. */
  stop?(): Promise<void>;
}

export interface TransformInstance extends HandlerLife {
  /** Pass (the change, or a copy with more notes) or {@link halt}. Never mutates. */
  handle(change: Change, context: HandlerContext): Change | Halt | Promise<Change | Halt>;
}

export interface StatefulInstance<S extends Json> extends HandlerLife {
  /**
   * Whose state it is, where that is not the object's: from here on the changes of a group are in order, one at a time, and have
   * one state and one wake-up together. Asked once for each change, which may also halt here and cost no turn of a group; never
   * for a wake-up. It may be asked again for a change that did not get its place. No other handler of the chain can keep state.
   */
  group?(change: Change, context: HandlerContext): string | Halt | Promise<string | Halt>;
  /**
   * The verdict and the new state of the key, or of the group (`null` forgets it), committed together with the end of the change: a retry or
   * a crash never counts twice. Sees every change, and its own wake-ups as action `timer`.
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
   * Resolves when the receiver has accepted; anything thrown is a failed attempt (see errors.ts for the exceptions). Nothing, or the
   * change itself, passes it on: the delivery is checkpointed, and not made again for this change. {@link halt} ends its trip here.
   * A copy with more notes passes on, and is not checkpointed, for notes are not stored: when a later handler fails, the sink is
   * asked again, with the same idempotency key.
   */
  deliver(change: Change, context: HandlerContext): Promise<Change | Halt | void>;
  /** What it would send, on one line and without a secret: for `watchchain test`, which does not deliver. Throws as `deliver` would. */
  preview?(change: Change, context: HandlerContext): string | Promise<string>;
  /**
   * The same for several changes of different objects in one message, all or none. A sink that has it is given changes that
   * came faster than its receiver takes them, those of a `digest`, and what happened while nothing was watching. Which
   * changes these are is stored before the first attempt: each attempt has the same, in the same order, and the same key.
   */
  deliverMany?(changes: readonly Change[], context: HandlerContext): Promise<void>;
  /** How many of these changes, from the first on, one message can name. Default: all, up to 1,000. */
  fits?(changes: readonly Change[]): number;
}

/** When changes are told together: of those in a window, up to `over` are told one by one, and the rest when it ends, or `max` wait. */
export interface BatchWindow {
  /** Milliseconds. */
  readonly windowMs: number;
  readonly over: number;
  readonly max: number;
}

/** What a handler asks of the cluster beyond what its chain watches: `watchchain rbac` grants that, and no more. */
export interface ClusterQuestions {
  /** The objects that changes, or only Events, involve, their owners and namespaces, are looked up; of which kinds, only the user knows. */
  readonly involved?: boolean | 'of Events';
  /** Wherever something is watched: `{ group: '', resource: 'pods/log', verbs: ['get'] }`. */
  readonly access?: readonly { readonly group: string; readonly resource: string; readonly verbs: readonly string[] }[];
}

/** One configuration example: shown in the docs, loaded by a test. */
export interface HandlerExample {
  readonly title: string;
  /** The `[[handler]]` table as TOML. */
  readonly toml: string;
}

interface Described<Options extends z.ZodObject> {
  /** The `name` in config.toml; the file's name. */
  readonly name: string;
  /** One sentence: what it does for whoever configures it. */
  readonly summary: string;
  /** More, as Markdown: what halts, what is delivered, what is guaranteed. */
  readonly description: string;
  /**
   * A strict object; each field has a description with its unit in words, a default where there is one, and an example:
   * `z.boolean().default(false).describe('...').meta({ example: true })`.
   */
  readonly options: Options;
  readonly examples: readonly HandlerExample[];
  /** It starts programs, which the user has to allow at the start. */
  readonly runsPrograms?: true;
  /** Which fields it reads, given its options; without it, all of them. */
  readonly reads?: (options: z.output<Options>) => Interest;
  /** What it asks of the cluster itself, given its options; without it, nothing. */
  readonly asks?: (options: z.output<Options>) => ClusterQuestions;
}

export interface TransformDefinition<Options extends z.ZodObject = z.ZodObject> extends Described<Options> {
  readonly type: 'transform';
  /** It halts every update that lies outside what it reads: what comes after it in a chain reads no more than it does. */
  readonly gate?: boolean;
  /** It is asked of what a wake-up of a handler behind it leads to, too, which began behind it. */
  readonly holdsWakeUps?: true;
  /** Deadline of `handle` in milliseconds, given its options; 10 s without it. */
  readonly deadlineMs?: (options: z.output<Options>) => number;
  create(options: z.output<Options>, environment: HandlerEnvironment): TransformInstance;
}

export interface StatefulDefinition<
  Options extends z.ZodObject = z.ZodObject,
  S extends Json = Json,
> extends Described<Options> {
  readonly type: 'stateful';
  /** Field roots without which it could say nothing: refused behind a gate that leaves one of them out. */
  readonly needs?: readonly string[];
  create(options: z.output<Options>, environment: HandlerEnvironment): StatefulInstance<S>;
}

export interface SinkDefinition<Options extends z.ZodObject = z.ZodObject> extends Described<Options> {
  readonly type: 'sink';
  /** Per-attempt deadline of `deliver` and `deliverMany` in milliseconds, given its options; 30 s without it. */
  readonly deadlineMs?: (options: z.output<Options>) => number;
  /** For a receiver that takes changes by the batch, given its options; a `digest` in the configuration counts instead. */
  readonly batch?: (options: z.output<Options>) => BatchWindow;
  create(options: z.output<Options>, environment: HandlerEnvironment): SinkInstance;
}

export type HandlerDefinition = TransformDefinition | StatefulDefinition | SinkDefinition;

/** Options are inferred from the schema; the result has them erased, since the schema has checked them before `create`. */
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
