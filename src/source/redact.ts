/**
 * Secrets are redacted before anything is stored, logged or sent: `data` and `stringData` of Secrets, also of those within other
 * objects, last-applied manifests, environment variables and headers by name, passwords in URLs, private keys, and configured paths. A keyed
 * hash replaces them, so that "it changed" still shows. Works on bytes: nothing is parsed, and what is not hidden stays as the
 * server sent it.
 */
import { createHash, createHmac } from 'node:crypto';
import type { RedactConfig } from '../config/config.ts';
import { QUOTE } from './bytes.ts';
import { findCarriedSecrets, mayCarry } from './carried-secrets.ts';
import { Digester } from './digest.ts';
import { parseName } from './discovery.ts';
import { parseFieldPathByName } from '../field-path.ts';
import { nameMatcher } from './name-matcher.ts';
import { findPrivateKeys } from './private-keys.ts';
import {
  findEnvValues,
  findHeaderValues,
  findLastApplied,
  findPath,
  findSecretValues,
  findUrlPasswords,
  type OnSpan,
} from './secret-spans.ts';
import type { Resource } from './source.ts';

export interface Redactor {
  /** Covers key and rules: if it changes, what is stored is redacted again. */
  readonly fingerprint: string;
  /** Covers only the key: digests made with another key cannot be compared. */
  readonly keyFingerprint: string;
  /** Keyed like the masks. */
  readonly digester: Digester;
  /** For the objects of one kind. */
  forKind(kind: Pick<Resource, 'group' | 'kind' | 'resource' | 'singular' | 'shortNames'>): Redact;
}

/**
 * Returns the same bytes if there is nothing to hide. Redacting twice changes nothing.
 *
 * @throws ScanError if the bytes are broken: they cannot be proven to contain no secret
 */
export type Redact = (body: Buffer) => Buffer;

/** Increment when {@link findSecretValues} or the others find more, so that what is already stored is redacted again. */
const FINDERS_VERSION = 7;
/** 48 bits: enough to see that a value changed. */
const MASK_DIGITS = 12;
const MASKED = /^"?redacted:hmac-[0-9a-f]{12}"?$/;

/**
 * @param rules environment variable names match in any case; see {@link RedactConfig}
 * @param key secret, kept with the store: another key makes other masks
 */
export function createRedactor(rules: RedactConfig, key: Uint8Array): Redactor {
  const keyFingerprint = shortHash(key);
  const isSecretName = nameMatcher(rules.envNames);
  const paths = rules.paths.map(({ kind, path }) => ({
    ...parseName(kind, undefined),
    path: parseFieldPathByName(path),
  }));
  const mask = (text: Uint8Array) =>
    `redacted:hmac-${createHmac('sha256', key).update(text).digest('hex').slice(0, MASK_DIGITS)}`;
  return {
    fingerprint: `${keyFingerprint}.${shortHash(JSON.stringify([FINDERS_VERSION, rules.envNames, rules.paths]))}`,
    keyFingerprint,
    digester: new Digester(createHmac('sha256', key).update('digest').digest()),
    forKind(kind) {
      const names = [kind.kind, kind.resource, kind.singular, ...kind.shortNames].map((name) => name.toLowerCase());
      const kindPaths = paths.filter(
        ({ name, group = kind.group }) => (name === '*' || names.includes(name)) && group === kind.group,
      );
      const isSecret = kind.group === '' && kind.kind === 'Secret';
      const carries = mayCarry(kind);
      return (source) => {
        // Passwords first, by the one rule that is always there: what a newer rule hides as a whole then has the same mask in a
        // stored object, which lacks them, as in a fresh one. Otherwise the next diff would show what has not changed.
        const body = replaceSpans(source, mask, (onSpan) => findUrlPasswords(source, onSpan));
        return replaceSpans(body, mask, (onSpan) => {
          if (isSecret) findSecretValues(body, 0, onSpan);
          if (carries) findCarriedSecrets(body, isSecretName, onSpan);
          findPrivateKeys(body, onSpan);
          findLastApplied(body, onSpan);
          findEnvValues(body, isSecretName, onSpan);
          findHeaderValues(body, isSecretName, onSpan);
          for (const { path } of kindPaths) findPath(body, path, onSpan);
        });
      };
    },
  };
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly inString: boolean;
}

function replaceSpans(body: Buffer, mask: (text: Uint8Array) => string, find: (onSpan: OnSpan) => void): Buffer {
  const spans: Span[] = [];
  find((start, end, inString) => {
    if (!MASKED.test(body.toString('latin1', start, end))) spans.push({ start, end, inString });
  });
  if (spans.length === 0) return body;
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const { start, end, inString } of spans.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    if (start < from) continue; // inside a span that is already hidden
    const isText = !inString && body[start] === QUOTE;
    const text = mask(isText ? body.subarray(start + 1, end - 1) : body.subarray(start, end));
    parts.push(body.subarray(from, start), Buffer.from(inString ? text : `"${text}"`));
    from = end;
  }
  return Buffer.concat([...parts, body.subarray(from)]);
}

function shortHash(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 16);
}
