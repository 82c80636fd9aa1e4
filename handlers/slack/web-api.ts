/**
 * The three methods of Slack's Web API that a bot needs: https://docs.slack.dev/reference/methods. Plain requests through our
 * own receiver: Slack's library brings its own retries, queue and rate limit, which belong to the chain and the receiver here.
 */
import { urlBelow } from '../../src/delivery/url-below.ts';
import type { Receiver, ReceiverFactory, ReceiverOptions, ReceiverResponse } from '../../src/delivery/receiver.ts';
import { MAX_RETRY_AFTER_MS } from '../../src/delivery/classify.ts';
import { RetryAfterError, TerminalError } from '../../src/errors.ts';
import { isObject, type JsonObject } from '../../src/json.ts';
import { printable, shortened } from '../../src/text/printable.ts';
import { withoutPreviews, type Content } from './content.ts';

/** Identifies a message, for everything that refers to it. */
export interface MessageRef {
  /** The channel's id, as Slack's answers give it; a channel name works only for posting. */
  readonly channel: string;
  /** Slack's id of a message in its channel. */
  readonly ts: string;
}

/** One attempt of one delivery. */
export interface CallContext {
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

/** An answer `"ok": false`. */
interface Refusal {
  readonly host: string;
  readonly method: Method;
  /** Slack's, such as `message_not_found`. */
  readonly code: string;
  /** Where to post to, if that is what Slack refuses. */
  readonly channel?: string;
}

export class SlackApiError extends TerminalError {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(textOf(refusal), { isGone: UNUSABLE.has(refusal.code) });
    this.refusal = refusal;
  }
}

export interface SlackApiOptions {
  readonly token: string;
  readonly apiURL: string;
  /** Slack limits messages per channel: sinks that write to the same one share a rate limit. */
  readonly lane: string | undefined;
}

type Method = 'chat.postMessage' | 'chat.update' | 'reactions.add';

/** Transient errors; all others are permanent. */
const PASSING: ReadonlySet<string> = new Set([
  'fatal_error',
  'internal_error',
  'service_unavailable',
  'request_timeout',
  'team_added_to_org',
  'org_login_required',
  'external_channel_migrating',
  'update_failed',
]);
/** What to do about errors that the configuration can cause. */
const REMEDIES: Readonly<Record<string, string>> = {
  invalid_auth: 'check the token',
  not_authed: 'check the token',
  token_revoked: 'create another token',
  token_expired: 'create another token',
  account_inactive: 'create another token',
  missing_scope: 'give the bot chat:write, and reactions:write for a completion',
  not_in_channel: 'invite the bot to the channel',
  channel_not_found: 'check the channel, and invite the bot if it is private',
  is_archived: 'choose a channel that is not archived',
  invalid_name: 'check completionEmoji',
  msg_too_long: 'shorten the text and its links',
};
const OF_CHANNEL: ReadonlySet<string> = new Set(['channel_not_found', 'not_in_channel', 'is_archived']);
/** Errors of the token itself, for any request: not of a channel, which may be one of several, or of a single method's scope. */
const UNUSABLE: ReadonlySet<string> = new Set([
  'invalid_auth',
  'not_authed',
  'token_revoked',
  'token_expired',
  'account_inactive',
]);
const MAX_CHANNEL_CHARS = 80;
const LIMITED: ReadonlySet<string> = new Set(['ratelimited', 'rate_limited', 'message_limit_exceeded']);

export class SlackApi {
  readonly #token: string;
  readonly #receivers: Readonly<Record<Method, Receiver>>;

  constructor(
    { token, apiURL, lane }: SlackApiOptions,
    receiverDefaults: Omit<ReceiverOptions, 'url'>,
    factory: ReceiverFactory,
  ) {
    const receiver = (method: Method, own: Partial<ReceiverOptions> = {}) => {
      const url = urlBelow(apiURL, method);
      const accept = (response: ReceiverResponse): void => assertOk(response, method, url.host);
      return factory.receiver({ ...receiverDefaults, url, accept, secrets: [token], ...own });
    };
    this.#token = token;
    this.#receivers = {
      'chat.postMessage': receiver('chat.postMessage', { lane }),
      'chat.update': receiver('chat.update', { lane }),
      'reactions.add': receiver('reactions.add', { perSecond: 0 }),
    };
  }

  /** @param to `thread`: the `ts` of its parent; `broadcast`: the channel sees the answer too */
  async post(
    to: { readonly channel: string; readonly thread?: string | undefined; readonly broadcast?: boolean },
    content: Content,
    context: CallContext,
  ): Promise<MessageRef> {
    const thread = to.thread === undefined ? {} : { thread_ts: to.thread };
    const broadcast = to.broadcast === true ? { reply_broadcast: true } : {};
    const payload = { channel: to.channel, ...thread, ...broadcast, ...withoutPreviews(content) };
    const response = await this.#call('chat.postMessage', payload, context).catch((thrown: unknown) => {
      throw withChannel(thrown, to.channel);
    });
    return messageRefIn(response, to.channel);
  }

  async update({ channel, ts }: MessageRef, content: Content, context: CallContext): Promise<void> {
    // Without these defaults, the message would keep its old text or attachments.
    await this.#call('chat.update', { channel, ts, text: '', attachments: [], ...content }, context);
  }

  /** Adding the same emoji twice is not a failure. */
  async react({ channel, ts }: MessageRef, emoji: string, context: CallContext): Promise<void> {
    try {
      await this.#call('reactions.add', { channel, timestamp: ts, name: emoji }, context);
    } catch (thrown) {
      if (!(thrown instanceof SlackApiError) || thrown.refusal.code !== 'already_reacted') throw thrown;
    }
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#receivers).map((receiver) => receiver.close()));
  }

  async #call(method: Method, payload: object, { idempotencyKey, signal }: CallContext): Promise<JsonObject> {
    const { body } = await this.#receivers[method].send({
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify(payload),
      idempotencyKey,
      signal,
    });
    return parsed(body) ?? {};
  }
}

/** Slack reports refusals in the body of a 200. @throws for anything but `"ok": true` */
function assertOk({ body, headers }: ReceiverResponse, method: Method, host: string): void {
  const response = parsed(body);
  if (response?.['ok'] === true) return;
  const code = response?.['error'];
  // Nothing else is quoted: a server in Slack's place may echo the request.
  if (typeof code !== 'string' || !/^\w{1,60}$/.test(code))
    throw new Error(`${host} answered 2xx to ${method}, but not as Slack does: expected {"ok": true}`);
  const refusal = { host, method, code };
  if (LIMITED.has(code)) {
    const retryAfterMs = Math.min(Number(headers['retry-after']) * 1000, MAX_RETRY_AFTER_MS);
    throw new RetryAfterError(textOf(refusal), retryAfterMs > 0 ? { retryAfterMs } : {});
  }
  throw PASSING.has(code) ? new Error(textOf(refusal)) : new SlackApiError(refusal);
}

function textOf({ host, method, code, channel }: Refusal): string {
  const to = channel === undefined ? '' : ` to ${shortened(printable(channel), MAX_CHANNEL_CHARS)}`;
  const remedy = REMEDIES[code];
  return `Slack (${host}) refused ${method}${to}: ${code}${remedy === undefined ? '' : `; ${remedy}`}`;
}

/** A template may have chosen the channel: then only the error shows which one. */
function withChannel(thrown: unknown, channel: string): unknown {
  if (!(thrown instanceof SlackApiError) || !OF_CHANNEL.has(thrown.refusal.code)) return thrown;
  return new SlackApiError({ ...thrown.refusal, channel });
}

function parsed(body: string): JsonObject | undefined {
  try {
    const response: unknown = JSON.parse(body);
    return isObject(response) ? response : undefined;
  } catch {
    return undefined;
  }
}

/** Slack-compatible servers may not return the channel. */
function messageRefIn({ channel, ts }: JsonObject, asked: string): MessageRef {
  return { channel: typeof channel === 'string' ? channel : asked, ts: typeof ts === 'string' ? ts : '' };
}
