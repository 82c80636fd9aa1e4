/** The thread that owns the database: SQLite is synchronous, and an fsync would block the main thread for milliseconds. */
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { isConfigError, toError } from '../errors.ts';
import { openDatabase } from './database.ts';
import { Engine, type Call, type EngineOptions, type Reply } from './engine.ts';
import { StoreError, type StoreErrorCode } from './store-error.ts';

/** Most calls in one transaction: bounds how long the first of them waits. */
const MAX_BATCH = 512;

export interface WorkerOptions extends EngineOptions {
  readonly path: string;
}

/** An error without its class, as structured clone keeps only message and stack. */
export interface SerializedError {
  readonly message: string;
  readonly stack: string | undefined;
  /** If it is a StoreError. */
  readonly code: StoreErrorCode | undefined;
  /** If it is a ConfigError. */
  readonly problems: readonly string[] | undefined;
}

/** The first message says whether the store is open; the others answer calls. */
export type Message =
  { readonly opened: true } | { readonly failed: SerializedError } | readonly Reply<SerializedError>[];

/** From the main thread: calls in order, or a request to close. */
export type WorkerRequest = readonly Call[] | 'close';

if (parentPort === null) throw new Error('Cannot run the store outside its worker thread');
serve(parentPort, workerData as WorkerOptions);

function serve(port: MessagePort, { path, ...options }: WorkerOptions): void {
  let engine: Engine;
  try {
    engine = new Engine(openDatabase(path, options), options);
  } catch (thrown) {
    port.postMessage({ failed: serializeError(toError(thrown)) } satisfies Message);
    return;
  }
  port.on('message', (first: WorkerRequest) => {
    let closing = false;
    const calls: Call[] = [];
    for (
      let request: WorkerRequest | undefined = first;
      request !== undefined;
      request = nextRequest(port, calls.length)
    ) {
      if (request === 'close') closing = true;
      else calls.push(...request);
    }
    if (calls.length > 0) {
      const { replies, buffers } = engine.run(calls);
      port.postMessage(replies.map(serializeReply) satisfies Message, buffers);
    }
    if (!closing) return;
    engine.close();
    port.close();
  });
  port.postMessage({ opened: true } satisfies Message);
}

/** Takes calls that have arrived meanwhile, to share the transaction. */
function nextRequest(port: MessagePort, takenCalls: number): WorkerRequest | undefined {
  return takenCalls >= MAX_BATCH ? undefined : (receiveMessageOnPort(port)?.message as WorkerRequest | undefined);
}

function serializeReply(reply: Reply): Reply<SerializedError> {
  return 'error' in reply ? { id: reply.id, error: serializeError(reply.error) } : reply;
}

function serializeError(error: Error): SerializedError {
  const { message, stack } = error;
  const code = error instanceof StoreError ? error.code : undefined;
  return { message, stack, code, problems: isConfigError(error) ? error.problems : undefined };
}
