import { nameMatcher, SECRET_ENV_NAMES } from '../source/name-matcher.ts';
import { isTable, type Resolved } from './expand.ts';

/** More than for a container's variables: here, a text that is hidden for nothing costs a word in an error. */
const SECRET_KEYS = ['key$', 'url|webhook', 'auth|header'];
/** `tokenFile` names a file, and an error about it must be able to do so, too. */
const FILE_KEY = /file|path$/i;
/** A template is not the text that is sent. */
const TEMPLATE = /\{[{%]/;

/**
 * The texts that no error and no preview may show: from outside the file those of files, and those whose variable or key sounds
 * like a secret; from the file itself those whose key does. A cluster's name stays readable.
 *
 * @param value the file, references resolved
 */
export function secretTexts(value: unknown, resolved: readonly Resolved[]): readonly string[] {
  const isSecret = nameMatcher([...SECRET_ENV_NAMES, ...SECRET_KEYS]);
  const found = resolved.filter(
    ({ name, path }) => name.startsWith('file:') || [name, ...path].some((part) => isSecret(String(part))),
  );
  return [...new Set([...found.map(({ text }) => text), ...literalsIn(value, nameMatcher(SECRET_ENV_NAMES))])];
}

function literalsIn(value: unknown, isSecret: (key: string) => boolean, key = ''): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((inner) => literalsIn(inner, isSecret, key));
  if (isTable(value)) return Object.entries(value).flatMap(([name, inner]) => literalsIn(inner, isSecret, name));
  if (typeof value !== 'string' || FILE_KEY.test(key) || TEMPLATE.test(value)) return [];
  return isSecret(key) ? [value] : [];
}
