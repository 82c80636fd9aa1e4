/** Keeps a receiver's URL out of all messages: a webhook's path is its password. */
import { codeOf, toError } from '../errors.ts';
import { escapeOf } from '../text/printable.ts';

/** Shorter pieces are words in the path (`api`, `v1`), not secrets; hiding them would only garble messages. */
const MIN_SECRET_LENGTH = 6;

/** The credentials in a URL, encoded for basic authentication; undefined if there are none. */
export function basicCredentials({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  return Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64');
}

/** Replaces each piece of `url` that may be secret (path, query, credentials, and each part of them), and `extraSecrets`, by `***`. */
export function scrubberOf(url: URL, extraSecrets: readonly string[] = []): (text: string) => string {
  // Query values as written, too: for a query that is a lone key, and for values echoed in their original encoding.
  const rawQueryValues = url.search
    .slice(1)
    .split('&')
    .map((pair) => pair.slice(pair.indexOf('=') + 1));
  const parts = [
    ...url.pathname.split('/'),
    ...rawQueryValues,
    ...url.searchParams.values(),
    url.username,
    url.password,
  ];
  const whole = [url.pathname + url.search, url.pathname, url.search, basicCredentials(url) ?? ''];
  return hiderOf([...whole, ...parts, ...parts.map(decoded), ...extraSecrets]);
}

/** Replaces each of `texts`, however an echo may write it, by `***`. */
export function hiderOf(texts: readonly string[]): (text: string) => string {
  const pieces = texts.filter(({ length }) => length >= MIN_SECRET_LENGTH);
  // Deduplicated: most pieces have only one spelling, and each costs a pass over every answer.
  const secrets = [...new Set(pieces.flatMap(encodingsOf))].toSorted((a, b) => b.length - a.length);
  return (text) => secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), text);
}

/** Tokens and the like, which a receiver may echo: the values of headers with secret-sounding names. */
export function secretsIn(headers: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(headers)
    .filter(([name]) => /auth|token|key|secret|cookie|passw|credential/i.test(name))
    .flatMap(([, value]) => secretsOf(value));
}

/** The parts of a header's value that may be secret: all of it, the token after its scheme, and the password in that. */
export function secretsOf(header: string): readonly string[] {
  const value = header.trim();
  const [, encoded] = /^basic\s+(\S+)$/i.exec(value) ?? [];
  const credentials = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString();
  return [value, ...value.split(/\s+/), credentials, credentials.slice(credentials.indexOf(':') + 1)];
}

/** The ways in which an echo may write it: in JSON, in a URL, in a form, or in a page. */
function encodingsOf(piece: string): readonly string[] {
  const inJson = JSON.stringify(piece).slice(1, -1);
  const inUrl = encodeURIComponent(piece.toWellFormed());
  return [
    piece,
    inJson,
    // Some escape each slash, some all that is not ASCII, and Go what HTML would interpret.
    inJson.replaceAll('/', '\\/'),
    inJson.replace(/[^ -~]/g, escapeOf),
    inJson.replace(/[&<>]/g, escapeOf),
    inUrl,
    inUrl.replace(/%[\dA-F]{2}/g, (byte) => byte.toLowerCase()),
    inUrl.replaceAll('%20', '+'),
    piece.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character),
  ];
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** An error that is safe as a cause: name, code and scrubbed message of the original, and no other properties. */
export function scrubbedCause(error: Error, scrub: (text: string) => string): Error {
  const { cause } = error;
  const code = codeOf(error);
  const clean = new Error(
    scrub(messageOf(error)),
    cause instanceof Error ? { cause: scrubbedCause(cause, scrub) } : {},
  );
  clean.name = error.name;
  return code === undefined ? clean : Object.assign(clean, { code });
}

const UNKNOWN_AUTHORITY = 'its certificate is signed by an unknown authority; set `tls.caFile` to its CA';
/** Replaces Node's messages, which refer to Node's own flags. */
const MEANINGS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed; set `tls.caFile` to it',
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS there; use `http://` for a server without TLS',
};

/**
 * If none of a host's several addresses can be connected to, Node has a message for each and none for all. OpenSSL's
 * messages wrap the reason in thread and source line.
 */
function messageOf(error: Error & { readonly code?: unknown; readonly reason?: unknown }): string {
  const meaning = MEANINGS[String(error.code)];
  if (meaning !== undefined) return meaning;
  if (typeof error.reason === 'string' && /^ERR_(?:OS)?SSL_/.test(String(error.code))) return `TLS: ${error.reason}`;
  if (error.message !== '' || !(error instanceof AggregateError)) return error.message;
  return [...new Set(error.errors.map((one: unknown) => toError(one).message))].join(', ');
}

/** Percent-decodes the piece; returns it unchanged if it is not valid. */
function decoded(piece: string): string {
  try {
    return decodeURIComponent(piece);
  } catch {
    return piece;
  }
}
