import { nameMatcher, SECRET_ENV_NAMES } from '../source/name-matcher.ts';
import type { Resolved } from './expand.ts';

/** More than for a container's variables: here, a text that is hidden for nothing costs a word in an error. */
const SECRET_KEYS = ['key$', 'url|webhook', 'auth|header'];

/**
 * The texts from outside the file that no error and no preview may show: those of files, and those whose variable or key sounds
 * like a secret. A cluster's name stays readable.
 */
export function secretTexts(resolved: readonly Resolved[]): readonly string[] {
  const isSecret = nameMatcher([...SECRET_ENV_NAMES, ...SECRET_KEYS]);
  const found = resolved.filter(
    ({ name, path }) => name.startsWith('file:') || [name, ...path].some((part) => isSecret(String(part))),
  );
  return [...new Set(found.map(({ text }) => text))];
}
