import { RE2JS } from 're2js';

/** How many names to cache. */
const MAX_NAMES = 10_000;

/** Whether a name, in any case, is that of a secret. RE2 takes microseconds and names repeat, so answers are cached. */
export function nameMatcher(sources: readonly string[]): (name: string) => boolean {
  const patterns = sources.map((source) => RE2JS.compile(source, RE2JS.CASE_INSENSITIVE));
  const known = new Map<string, boolean>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const isSecret = patterns.some((pattern) => pattern.test(name));
    if (known.size >= MAX_NAMES) known.clear();
    known.set(name, isSecret);
    return isSecret;
  };
}
