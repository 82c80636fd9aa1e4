/** Field paths with wildcards, as `[redact]` takes them. */

/** A map's key or a list item's `name` or index; `*` is any. */
export type FieldPath = readonly string[];

/**
 * `.key`, or a bracket, in whose quoted part every character is free. JSONPath's own `$.`, braces and single quotes are refused: read
 * as part of a name they would hide nothing, in silence.
 */
const STEP = /(?:^(?!\$\.)|\.)([^.[\]"'{}\s]+)|\[(?:("(?:[^"\\]|\\.)*")|([^\]"']+))\]/y;

/**
 * Reads `spec.containers[*].args`, `data.*` or `metadata.annotations["example.com/token"]`.
 *
 * @throws Error that shows where the path cannot be read
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
