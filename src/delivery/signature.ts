/** Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
import { createHash, createHmac } from 'node:crypto';

/** Limits for the random bytes of a secret, from the specification. */
const MIN_SECRET_BYTES = 24;
const MAX_SECRET_BYTES = 64;

/**
 * Identifies a message to its receiver: the same for every attempt, and without the separators of the signed content.
 * @param idempotencyKey see `idempotencyKey` in change.ts
 */
export function messageId(idempotencyKey: string): string {
  return `msg_${createHash('sha256').update(idempotencyKey).digest('base64url')}`;
}

/** The key in a secret, which is base64 with an optional `whsec_` prefix; undefined if it is invalid. */
export function secretKey(secret: string): Buffer | undefined {
  const base64 = secret.replace(/^whsec_/, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  const key = Buffer.from(base64, 'base64');
  return key.length >= MIN_SECRET_BYTES && key.length <= MAX_SECRET_BYTES ? key : undefined;
}

/** Returns the headers that sign one attempt at one message. */
export type Sign = (id: string, body: string | Uint8Array, nowMs: number) => Readonly<Record<string, string>>;

/**
 * Signs with each secret, so that receivers can accept either during a rotation.
 * @throws if a secret is invalid; see {@link secretKey}
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
