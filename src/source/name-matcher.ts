/** Which names are those of secrets. */
import { RE2JS } from 're2js';

/** Names of environment variables that hold secrets; `[redact] envNames` adds to them. */
export const SECRET_ENV_NAMES: readonly string[] = [
  '(?i)passw|passphrase|([^a-z]|^|db)pass([^a-z]|$)|pwd|secret|token|credential|connection_?string|(api|access|private|signing|encryption|master|auth|account)[._-]?key',
];

/** How many names to cache. */
const MAX_NAMES = 10_000;

/** Whether a name, in any case, is that of a secret. RE2 takes microseconds and names repeat, so answers are cached. */
export function nameMatcher(sources: readonly string[]): (name: string) => boolean {
  const patterns = sources.map((source) => RE2JS.compile(source, RE2JS.CASE_INSENSITIVE));
  const cache = new Map<string, boolean>();
  return (name) => {
    const cached = cache.get(name);
    if (cached !== undefined) return cached;
    const isSecret = patterns.some((pattern) => pattern.test(name));
    if (cache.size >= MAX_NAMES) cache.clear();
    cache.set(name, isSecret);
    return isSecret;
  };
}
