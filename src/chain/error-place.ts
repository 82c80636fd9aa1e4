/** Where an error was thrown, for the author of the file. */
import { fileURLToPath } from 'node:url';

/** Node names ES modules by URL, CommonJS by path. */
const FILE = String.raw`(?:file:|\/|[A-Z]:\\)[^\n()]+:\d+`;
const HERE = fileURLToPath(new URL('../../', import.meta.url));

/** `/x/page-me.ts:12`, or a file that it imports. For a syntax error the place comes before the stack, otherwise in it. */
export function placeOf(thrown: unknown): string | undefined {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
  const [before] = new RegExp(`^${FILE}(?=\\n)`).exec(stack) ?? [];
  const inStack = stack.match(new RegExp(`(?<=[ (])${FILE}(?=:\\d+\\)?$)`, 'gm')) ?? [];
  const place = before ?? inStack.find((one) => !one.includes('node_modules'));
  if (place === undefined) return undefined;
  const [file, line] = [place.slice(0, place.lastIndexOf(':')), place.slice(place.lastIndexOf(':'))];
  return `${file.startsWith('file:') ? fileURLToPath(file) : file}${line}`;
}

/** The place of a bug in a user's own handler; for an error thrown on purpose the message is enough. */
export function placeOfMistake(thrown: Error): string | undefined {
  if (!MISTAKES.has(thrown.name)) return undefined;
  const place = placeOf(thrown);
  return place?.startsWith(HERE) === true ? undefined : place;
}

const MISTAKES: ReadonlySet<string> = new Set(['TypeError', 'ReferenceError', 'RangeError']);
