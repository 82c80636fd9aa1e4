/** Calls to the thread that owns the database (see worker.ts), and its answers. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ConfigError, toError } from '../errors.ts';
import type { Call } from './engine.ts';
import type { Operations } from './operations.ts';
import { damageIn, StoreError } from './store-error.ts';
import type { Message, SerializedError, WorkerOptions, WorkerRequest } from './worker.ts';

/** @throws ConfigError if the file is damaged, not ours, of a newer version, or not writable */
export async function openWorker(options: WorkerOptions): Promise<WorkerClient> {
  const worker = startWorker(options);
  const [message] = (await once(worker, 'message')) as [Message];
  if ('failed' in message) throw deserializeError(message.failed);
  return new WorkerClient(worker, options.path);
}

function startWorker(workerData: WorkerOptions): Worker {
  // `.ts` in the checkout, `.js` in dist: the compiler rewrites import paths, but not URLs.
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  // Its heap holds one batch at a time, yet the young generation would grow to tens of megabytes by default.
  const resourceLimits = { maxYoungGenerationSizeMb: 8 };
  const execArgv = permissionFlags(process.execArgv);
  return new Worker(new URL(`./worker${extension}`, import.meta.url), { workerData, resourceLimits, execArgv });
}

/**
 * The flags of the process that the worker gets. Others, such as --input-type, do not suit its file; without these no permission
 * would bind it, one in NODE_OPTIONS would stop it, and it would print warnings. `--allow-fs-read FOLDER` is two words.
 */
function permissionFlags(flags: readonly string[]): string[] {
  const isFlag = (flag: string) => /^--(permission|allow-[a-z-]+|disable-warning)(=|$)/.test(flag);
  const takesNext = (flag = '') => /^--(allow-fs-(read|write)|disable-warning)$/.test(flag);
  return flags.filter((flag, n) => isFlag(flag) || takesNext(flags[n - 1]));
}

/** What an operation takes from this side. */
export type Args<N extends keyof Operations> = Parameters<Operations[N]['run']>;
/** What it answers. */
export type Result<N extends keyof Operations> = ReturnType<Operations[N]['run']>;

interface PendingCall {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

export class WorkerClient {
  readonly #worker: Worker;
  readonly #path: string;
  readonly #pending = new Map<number, PendingCall>();
  #outbox: Call[] = [];
  #transfer: ArrayBuffer[] = [];
  #lastId = 0;
  /** Why calls are refused, once they are. */
  #closedError: StoreError | undefined;
  #closed: Promise<void> | undefined;

  constructor(worker: Worker, path: string) {
    this.#worker = worker;
    this.#path = path;
    worker.on('message', (message: Message) => this.#settle(message));
    worker.on('error', (cause: Error) => this.#fail(cause));
    worker.on('exit', () => this.#fail(undefined));
  }

  /** Calls made in the same turn of the event loop go out as one message, and so into one transaction. */
  call<N extends keyof Operations>(name: N, args: Args<N>, transfer: readonly ArrayBuffer[] = []): Promise<Result<N>> {
    if (this.#closedError !== undefined) return Promise.reject(this.#closedError);
    return new Promise<Result<N>>((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject });
      if (this.#outbox.length === 0) queueMicrotask(() => this.#flush());
      this.#outbox.push({ id, name, args });
      this.#transfer.push(...transfer);
    });
  }

  /** Waits for pending calls, then ends the thread. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.#closedError !== undefined) return;
    this.#flush();
    this.#closedError = new StoreError('STORE_CLOSED', 'Cannot use the store: it is closed');
    const exited = once(this.#worker, 'exit');
    this.#worker.postMessage('close' satisfies WorkerRequest);
    await exited;
  }

  #flush(): void {
    if (this.#outbox.length === 0) return;
    const calls = this.#outbox;
    const transfer = this.#transfer;
    this.#outbox = [];
    this.#transfer = [];
    try {
      this.#worker.postMessage(calls satisfies WorkerRequest, transfer);
    } catch {
      this.#worker.postMessage(this.#withoutUnsendable(calls) satisfies WorkerRequest, transfer);
    }
  }

  /** A handler of the user's own may have passed anything, such as a promise: only that call is refused. */
  #withoutUnsendable(calls: readonly Call[]): Call[] {
    return calls.filter(({ id, args }) => {
      try {
        structuredClone(args);
        return true;
      } catch (cause) {
        const { message } = toError(cause);
        this.#pending
          .get(id)
          ?.reject(new StoreError('STORE_REFUSED', `Cannot pass this to the store: ${message}`, { cause }));
        this.#pending.delete(id);
        return false;
      }
    });
  }

  #settle(message: Message): void {
    if ('opened' in message || 'failed' in message) return;
    for (const reply of message) {
      const pending = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if ('error' in reply) pending?.reject(deserializeError(reply.error));
      else pending?.resolve(reply.value as never);
    }
  }

  #fail(cause: Error | undefined): void {
    const damage = damageIn(cause);
    const message =
      damage === undefined
        ? `The store has stopped${cause === undefined ? '' : `: ${cause.message}`}; restart the service, accepted changes are kept`
        : `Cannot continue with the store ${this.#path}: ${damage}`;
    this.#closedError ??= new StoreError('STORE_FAILED', message, { cause });
    for (const { reject } of this.#pending.values()) reject(this.#closedError);
    this.#pending.clear();
  }
}

function deserializeError({ message, stack, code, problems }: SerializedError): Error {
  const plain = code === undefined ? new Error(message) : new StoreError(code, message);
  const error = problems === undefined ? plain : new ConfigError(problems);
  if (stack !== undefined) error.stack = stack;
  return error;
}
