/** A bot's messages: in threads, or one that is rewritten. The message they belong to is kept in the sink's durable memory. */
import type { SinkMemory } from '../../src/chain/handler.ts';
import type { Change } from '../../src/change.ts';
import { TerminalError } from '../../src/errors.ts';
import { shortKey } from '../../src/delivery/short-key.ts';
import { scopeOf, type TemplateScope } from '../../src/template/scope.ts';
import { compileTemplate } from '../../src/template/template.ts';
import type { Content } from './content.ts';
import type { Options } from './options.ts';
import { type CallContext, type MessageRef, type SlackApi, SlackApiError } from './web-api.ts';

/** What is kept about a thread's parent, or about the message that is rewritten. */
type StoredMessage = Readonly<Record<keyof MessageRef, string>>;

/** The message is gone, closed, or too old to be changed: there is nothing left to attach to. */
const GONE: ReadonlySet<string> = new Set([
  'message_not_found',
  'thread_not_found',
  'cannot_reply_to_message',
  'restricted_action_thread_locked',
  'thread_locked',
  'cant_update_message',
  'edit_window_closed',
  'channel_not_found',
  'is_archived',
  'is_inactive',
]);
const MAX_KEY_LENGTH = 200;

export class Bot {
  readonly #api: SlackApi;
  readonly #memory: SinkMemory;
  readonly #emoji: string;
  readonly #channel: (scope: TemplateScope) => string;
  readonly #threadKey: (scope: TemplateScope) => string;
  readonly #completionCondition: (scope: TemplateScope) => string;
  readonly #broadcastCondition: (scope: TemplateScope) => string;
  readonly #update: (scope: TemplateScope) => string;
  /** The last delivery per key: two at once would both start the thread. */
  readonly #turns = new Map<string, Promise<void>>();
  /** What the store has refused, as on a full disk. */
  readonly #unsaved = new Map<string, StoredMessage | null>();

  constructor(options: Options, { api, memory }: { readonly api: SlackApi; readonly memory: SinkMemory }) {
    this.#api = api;
    this.#memory = memory;
    this.#emoji = options.completionEmoji;
    this.#channel = trimmed(options.channel, 'channel');
    this.#threadKey = trimmed(options.threadKey, 'threadKey');
    this.#completionCondition = trimmed(options.completionCondition, 'completionCondition');
    this.#broadcastCondition = trimmed(options.broadcastCondition, 'broadcastCondition');
    this.#update = trimmed(options.update, 'update');
  }

  async send(change: Change, content: Content, context: CallContext): Promise<void> {
    const { channel, thread, update } = this.destinationOf(change);
    if (thread !== undefined) {
      const key = keyOf('thread', thread.key);
      await this.#inTurn(key, () => this.#reply(key, { channel, ...thread, content, context }));
    } else if (update !== undefined) {
      // Keyed by channel too: a message in another channel would not be seen here. A thread stays where it began.
      const key = keyOf('message', `${channel} ${update}`);
      await this.#inTurn(key, () => this.#rewrite(key, { channel, content, context }));
    } else {
      await this.#api.post({ channel }, content, context);
    }
  }

  /** @throws TerminalError if there is none */
  destinationOf(change: Change): Destination {
    const scope = scopeOf(change);
    const channel = this.#channel(scope);
    if (channel === '' || channel === '#') {
      const where = channel === '' ? '' : ' after "#"';
      throw new TerminalError(`The template of channel yields nothing${where}: there is nowhere to post to`);
    }
    return { channel, thread: this.#threadOf(scope), update: this.#update(scope) || undefined };
  }

  #threadOf(scope: TemplateScope): Thread | undefined {
    const key = this.#threadKey(scope);
    if (key === '') return undefined;
    const isComplete = this.#completionCondition(scope) !== '';
    return { key, isComplete, broadcast: this.#broadcastCondition(scope) !== '' };
  }

  async #reply(key: string, reply: Reply): Promise<void> {
    const { channel, isComplete, broadcast, content, context } = reply;
    const ended = isComplete ? await this.#recall(endKeyOf(context)) : undefined;
    if (ended !== undefined) return this.#end(key, ended, context);
    const parent = await this.#recall(key);
    if (parent === undefined) {
      const location = await this.#api.post({ channel }, content, context);
      if (!isComplete) await this.#remember(key, { ...location });
      return;
    }
    const to = { channel: parent.channel, thread: parent.ts, broadcast };
    const isGone = await failsBecauseGone(() => this.#api.post(to, content, context));
    if (isGone) {
      await this.#remember(key, null);
      return this.#reply(key, reply);
    }
    // Written again, or it would be forgotten.
    if (!isComplete) return this.#remember(key, parent);
    // A failed reaction is retried, and the answer must not be posted twice.
    await this.#remember(endKeyOf(context), parent);
    await this.#end(key, parent, context);
  }

  /** The thread is over before the reaction: if that is refused, the next message must not hide in an old thread. */
  async #end(key: string, parent: StoredMessage, context: CallContext): Promise<void> {
    // After a crash in between, it may be another thread's already.
    if ((await this.#recall(key))?.ts === parent.ts) await this.#remember(key, null);
    await failsBecauseGone(() => this.#api.react(parent, this.#emoji, context));
    await this.#remember(endKeyOf(context), null);
  }

  async #rewrite(key: string, { channel, content, context }: OutgoingMessage): Promise<void> {
    const kept = await this.#recall(key);
    if (kept !== undefined && !(await failsBecauseGone(() => this.#api.update(kept, content, context))))
      return this.#remember(key, kept);
    const location = await this.#api.post({ channel }, content, context);
    await this.#remember(key, { ...location });
  }

  /** Only this class writes it. */
  async #recall(key: string): Promise<StoredMessage | undefined> {
    const unsaved = this.#unsaved.get(key);
    return unsaved === undefined
      ? ((await this.#memory.get(key)) as StoredMessage | undefined)
      : (unsaved ?? undefined);
  }

  /** Never fails: what was posted would be posted again. What cannot be written is kept here, and written with the next message. */
  async #remember(key: string, message: StoredMessage | null): Promise<void> {
    this.#unsaved.set(key, message);
    for (const [unsavedKey, unsaved] of this.#unsaved) {
      try {
        await this.#memory.set(unsavedKey, unsaved);
      } catch {
        return;
      }
      if (this.#unsaved.get(unsavedKey) === unsaved) this.#unsaved.delete(unsavedKey);
    }
  }

  async #inTurn(key: string, work: () => Promise<void>): Promise<void> {
    const before = this.#turns.get(key) ?? Promise.resolve();
    const turn = before.then(work);
    const ended = turn.catch(() => undefined);
    this.#turns.set(key, ended);
    try {
      await turn;
    } finally {
      if (this.#turns.get(key) === ended) this.#turns.delete(key);
    }
  }
}

/** Where a change's message belongs. */
interface Destination {
  readonly channel: string;
  readonly thread: Thread | undefined;
  /** The key of the message that it rewrites. */
  readonly update: string | undefined;
}

/** The message starts the thread of this key, or answers in it. */
interface Thread {
  readonly key: string;
  /** Whether it ends the thread. */
  readonly isComplete: boolean;
  /** Whether the channel sees an answer, too. */
  readonly broadcast: boolean;
}

interface OutgoingMessage {
  readonly channel: string;
  readonly content: Content;
  readonly context: CallContext;
}

interface Reply extends OutgoingMessage, Pick<Thread, 'isComplete' | 'broadcast'> {}

/** Does `work`, and returns whether the message it concerns is gone. @throws any other error */
async function failsBecauseGone(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (thrown) {
    if (thrown instanceof SlackApiError && GONE.has(thrown.refusal.code)) return true;
    throw thrown;
  }
}

/** Empty if the option is not set, or yields nothing. */
function trimmed(source: string | undefined, field: string): (scope: TemplateScope) => string {
  if (source === undefined) return () => '';
  const template = compileTemplate(source, field);
  return (scope) => template.text(scope).trim();
}

/** Where a delivery keeps the parent of the thread that it has ended, until it has reacted. */
function endKeyOf({ idempotencyKey }: CallContext): string {
  return keyOf('end', idempotencyKey);
}

function keyOf(kind: 'thread' | 'message' | 'end', text: string): string {
  return `${kind} ${shortKey(text, MAX_KEY_LENGTH)}`;
}
