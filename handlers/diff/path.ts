/**
 * Field paths, as they are shown and as the options take them:
 * `spec.template.spec.containers[web].image`, `metadata.annotations["example.com/owner"]`.
 */
import { printable } from '../../src/log.ts';

/** One step into a manifest: a map's key, or a list's item by its label (its merge key, or its index). */
export type Step = string | ListItem;

export interface ListItem {
  readonly item: string;
}

/** A path as text: items in brackets, keys that are not plain words in brackets and quotes. */
export function formatPath(steps: readonly Step[]): string {
  let path = '';
  for (const step of steps) {
    if (typeof step !== 'string') path += /^[\w./:@+-]+$/.test(step.item) ? `[${step.item}]` : `[${quoted(step.item)}]`;
    else if (!/^[\w$-]+$/.test(step)) path += `[${quoted(step)}]`;
    else path += path === '' ? step : `.${step}`;
  }
  return path;
}

function quoted(text: string): string {
  return printable(JSON.stringify(text));
}

/**
 * Either `.key`, or a bracket with an optional quoted part, which may contain `]`. No two branches share a first character:
 * linear. JSONPath's own `$.`, braces and single quotes are refused: read as part of a name they would silently match nothing.
 */
const SEGMENT = /(?:^(?!\$\.)|\.)([^.[\]"'{}/\s]+)|\[((?:"(?:[^"\\]|\\.)*"|[^\]"'])+)\]/y;

/**
 * The steps of a path: keys and item labels alike as plain text, `*` left in. An item may also be written the way managedFields
 * names it: `[name="web"]` is `[web]`, `[containerPort=80,protocol="TCP"]` is `[80/TCP]`. A leading dot is allowed.
 *
 * @throws Error naming the character that cannot be parsed.
 */
export function parsePath(path: string): readonly string[] {
  const segments: string[] = [];
  let at = 0;
  while (at < path.length) {
    SEGMENT.lastIndex = at;
    const match = SEGMENT.exec(path);
    if (match === null) break;
    segments.push(match[1] ?? labelIn(match[2] ?? ''));
    at = SEGMENT.lastIndex;
  }
  if (segments.length > 0 && at === path.length) return segments;
  throw new Error(
    `Cannot read field path ${JSON.stringify(path)} at character ${at + 1}: ` +
      'expected a path like spec.replicas, spec.containers[*].image or metadata.annotations["example.com/owner"]',
  );
}

function labelIn(bracket: string): string {
  if (bracket.startsWith('"')) return unquoted(bracket);
  if (!/^\w*=/.test(bracket)) return bracket;
  const values = bracket.matchAll(/\w*=("(?:[^"\\]|\\.)*"|[^,]*),?/g);
  return Array.from(values, ([, value = '']) => unquoted(value)).join('/');
}

function unquoted(text: string): string {
  if (!text.startsWith('"')) return text;
  try {
    return JSON.parse(text) as string;
  } catch {
    return text.slice(1, -1);
  }
}
