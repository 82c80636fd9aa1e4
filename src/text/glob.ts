/** Names with wildcards, as configurations and filters write them. */
import { RE2JS } from 're2js';

/** Whether the glob matches the whole text; `*` matches any characters, or none. Linear: texts may come from the cluster. */
export function matchesGlob(glob: string, text: string): boolean {
  const parts = glob.split('*');
  const [first = ''] = parts;
  if (parts.length === 1) return glob === text;
  const last = parts.at(-1) ?? '';
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}

/** A matcher for filters, with the store's semantics: `?` also matches any single character. */
export function globMatcher(glob: string): (text: string) => boolean {
  const pattern = RE2JS.quote(glob).replaceAll('\\*', '.*').replaceAll('\\?', '.');
  const compiled = RE2JS.compile(pattern, RE2JS.DOTALL);
  return (text) => compiled.matches(text);
}
