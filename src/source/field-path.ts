/** Field paths with wildcards, for `[redact]`. */

/** A map's key or a list item's `name` or index; `*` is any. */
export type FieldPath = readonly string[];

/**
 * `.key`, or a bracket, which may quote any character. JSONPath's `$.`, braces and single quotes are refused: taken as part of a
 * name they would silently hide nothing.
 */
const STEP = /(?:^(?!\$\.)|\.)([^.[\]"'{}\s]+)|\[(?:("(?:[^"\\]|\\.)*")|([^\]"']+))\]/y;

/**
 * Reads `spec.containers[*].args`, `data.*` or `metadata.annotations["example.com/token"]`.
 *
 * @throws Error that names the position at which the path is invalid
 */
export function parseFieldPath(path: string): FieldPath {
  const steps: string[] = [];
  let at = 0;
  while (at < path.length) {
    STEP.lastIndex = at;
    const match = STEP.exec(path);
    if (match === null) break;
    const [whole, key, quoted, item = ''] = match;
    steps.push(quoted === undefined ? (key ?? item) : (JSON.parse(quoted) as string));
    at += whole.length;
  }
  if (at === path.length && steps.length > 0) return steps;
  throw new Error(
    `Cannot read field path ${JSON.stringify(path)} at character ${at + 1}: ` +
      'expected a path like spec.containers[*].args, data.* or metadata.annotations["example.com/token"]',
  );
}
