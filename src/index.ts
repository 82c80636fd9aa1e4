/** What a handler author imports: `import { defineTransform, halt, type Change } from 'watchchain'`. */
export type { Action, Actor, Change, ChangeFlags, Gvk, Gvr, Manifest, ManifestMetadata, Notes } from './change.ts';
export { idempotencyKey, manifestOf } from './change.ts';
export { withNote, withParts } from './change/lazy-change.ts';
export type {
  BatchWindow,
  ClusterQuestions,
  Halt,
  HandlerContext,
  HandlerDefinition,
  HandlerEnvironment,
  HandlerExample,
  HandlerLife,
  SinkDefinition,
  SinkInstance,
  StatefulContext,
  StatefulDefinition,
  StatefulInstance,
  TransformDefinition,
  TransformInstance,
  WatchedKind,
} from './chain/handler.ts';
export { defineSink, defineStateful, defineTransform, halt, isHalt } from './chain/handler.ts';
export { RetryAfterError, TerminalError, WaitError } from './errors.ts';
export type { ContainerLog, EventLine, Evidence } from './enrich/evidence.ts';
export type { Involved, ObjectReference, OwnerReference } from './enrich/involved.ts';
export type { CounterFactory, HandlerCounter, HandlerCounterOptions } from './handler-counters.ts';
export type { Interest } from './interest.ts';
export type { Json, JsonObject } from './json.ts';
export type { Receiver, ReceiverFactory, ReceiverOptions } from './delivery/receiver.ts';
export type { FunctionContext, HandlerFunction } from './chain/handler-function.ts';
// Each of these files declares the note that an earlier handler leaves.
export type { Answer as PluginAnswer } from './plugin/contract.ts';
export type { DiffNote } from '../handlers/diff/note.ts';
export type { LastingNote } from '../handlers/lasting/note.ts';
export type { AlertNote } from '../handlers/podAlerts/alert.ts';
export type { OnceNote } from '../handlers/once.ts';
/** The schema library of handler options: the copy that this package validates with. */
export { z } from 'zod';
