/** Hides secrets in free text, such as a log line: their places are unknown, so only what looks like one is hidden. */
import { withoutColors } from '../text/printable.ts';
import { nameMatcher } from '../source/name-matcher.ts';

const MASK = '***';

/** Patterns with their replacements. Bounded, or without nested repeats, so that time is linear. */
const SECRET_PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|$)/g, MASK],
  // The tail of a log may begin in the middle of a key.
  [/^[\s\S]*?-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----/, MASK],
  // A password may contain an @, so everything before the last one is hidden.
  [/([a-z][a-z0-9+.-]{1,20}:\\?\/\\?\/)[^\s/?#]*@/gi, `$1${MASK}@`],
  [/\b(Bearer|Basic|Token)\s+[\w.~+/=-]{8,}/gi, `$1 ${MASK}`],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?/g, MASK],
  [
    /\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[abprs]-[\w-]{10,}|glpat-[\w-]{20,}|[sr]k_live_\w{10,}|AKIA[0-9A-Z]{16})/g,
    MASK,
  ],
];

/** `NAME=value`, `--name=value`, `"name": "value"`, `name: value`, `"name"=>"value"`, up to the value; `\"` in JSON inside a string. */
const NAME_PATTERN = /(?<![\w.-])[.-]{0,2}([A-Za-z_][\w.-]{0,100})(?:\\{0,3}["'])?\s{0,5}[=:]>?\s{0,5}/g;
/** A scheme belongs to the value: `X-Auth-Token: Bearer abc`. */
const VALUE_PATTERN =
  /\\{1,3}"(?:[^"\\\n]|\\+[^"\\\n])*(?:\\+")?|"(?:[^"\\\n]|\\.)*"?|'[^'\n]*'?|(?:(?:Bearer|Basic|Token)\s{1,5})?[^\s,;&"']+/iy;

/** @param secretNames current names of environment variables: they may change while the service runs */
export function textRedactor(secretNames: () => readonly string[]): (text: string) => string {
  let [sources, isSecretName] = [secretNames(), nameMatcher(secretNames())];
  return (text) => {
    const current = secretNames();
    if (current !== sources) [sources, isSecretName] = [current, nameMatcher(current)];
    return redactText(text, isSecretName);
  };
}

/** @param isSecretName as for environment variables */
export function redactText(text: string, isSecretName: (name: string) => boolean): string {
  // Many loggers colour a name and its value separately: `password\x1b[0m=hunter2`.
  const named = redactNamedValues(withoutColors(text), isSecretName);
  return SECRET_PATTERNS.reduce((clean, [pattern, replacement]) => clean.replace(pattern, replacement), named);
}

function redactNamedValues(text: string, isSecretName: (name: string) => boolean): string {
  let clean = '';
  let done = 0;
  for (const { index, 0: start, 1: name = '' } of text.matchAll(NAME_PATTERN)) {
    if (index < done || !(isSecretName(name) || isSecretName(name.replace(/[.-]/g, '_')))) continue;
    VALUE_PATTERN.lastIndex = index + start.length;
    const value = VALUE_PATTERN.exec(text)?.[0];
    if (value === undefined) continue;
    clean += text.slice(done, index + start.length) + MASK;
    done = index + start.length + value.length;
  }
  return clean + text.slice(done);
}
