/** Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
import { createHash, createHmac } from 'node:crypto';

/** Of the random bytes of a secret, by the specification. */
const MIN_SECRET_BYTES = 24;
const MAX_SECRET_BYTES = 64;

/**
 * Names a message at its receiver: the same for every attempt, and without the characters that separate what is signed.
 * @param idempotencyKey see `idempotencyKey` in change.ts
 */
export function messageId(idempotencyKey: string): string {
  return `msg_${createHash('sha256').update(idempotencyKey).digest('base64url')}`;
}

/** The key of a secret, which is base64 with or without `whsec_` in front; undefined when it is none. */
export function secretKey(secret: string): Buffer | undefined {
  const base64 = secret.replace(/^whsec_/, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  const key = Buffer.from(base64, 'base64');
  return key.length >= MIN_SECRET_BYTES && key.length <= MAX_SECRET_BYTES ? key : undefined;
}

/** Headers that sign one attempt at one message. */
export type Sign = (id: string, body: string | Uint8Array, nowMs: number) => Readonly<Record<string, string>>;

/**
 * Signs with each secret: while one is replaced by another, receivers accept either.
 * @throws when a secret is none; see {@link secretKey}
 */
export function signer(secrets: readonly string[]): Sign {
  const keys = secrets.map((secret) => {
    const key = secretKey(secret);
    if (key === undefined) throw new Error('Cannot sign: a secret is not base64 of 24 to 64 bytes');
    return key;
  });
  return (id, body, nowMs) => {
    const timestamp = String(Math.floor(nowMs / 1000));
    const signatures = keys.map(
      (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`,
    );
    return {
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signatures.join(' '),
    };
  };
}
