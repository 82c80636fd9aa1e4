/** Field paths, as options take them: `spec.containers[web].image`, `metadata.annotations["example.com/owner"]`, `data.*`. */

/** Keys of maps, and labels of list items, alike as plain text; `*` is any. */
export type FieldPath = readonly string[];

/**
 * Either `.key`, or a bracket with an optional quoted part, which may contain `]`. No two branches share a first character:
 * linear. JSONPath's own `$.`, braces, single quotes and slashes outside of brackets are refused: read as part of a name they
 * would silently match nothing.
 */
const SEGMENT = /(?:^(?!\$\.)|\.)([^.[\]"'{}/\s]+)|\[((?:"(?:[^"\\]|\\.)*"|[^\]"'])+)\]/y;
const BY_FIELD = /^(\w*)=/;

/**
 * The steps of a path. An item may also be written the way managedFields names it: `[name="web"]` is `[web]`,
 * `[containerPort=80,protocol="TCP"]` is `[80/TCP]`. A leading dot is allowed.
 *
 * @throws Error naming the character that cannot be parsed.
 */
export function parseFieldPath(path: string): FieldPath {
  return stepsOf(path, () => true);
}

/** The same for those who know an item of a list only by its `name` or index: another field would silently match nothing. */
export function parseFieldPathByName(path: string): FieldPath {
  return stepsOf(path, (field) => field === 'name');
}

function stepsOf(path: string, isKnown: (field: string) => boolean): FieldPath {
  const steps: string[] = [];
  let at = 0;
  while (at < path.length) {
    SEGMENT.lastIndex = at;
    const [whole = '', key, bracket = ''] = SEGMENT.exec(path) ?? [];
    const field = BY_FIELD.exec(bracket)?.[1];
    if (whole === '' || (field !== undefined && !isKnown(field))) break;
    steps.push(key ?? labelIn(bracket));
    at += whole.length;
  }
  if (steps.length > 0 && at === path.length) return steps;
  throw new Error(
    `Cannot read field path ${JSON.stringify(path)} at character ${at + 1}: ` +
      'expected a path like spec.replicas, spec.containers[*].image or metadata.annotations["example.com/owner"]',
  );
}

function labelIn(bracket: string): string {
  if (bracket.startsWith('"')) return unquoted(bracket);
  if (!BY_FIELD.test(bracket)) return bracket;
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
