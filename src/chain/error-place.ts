/** Where an error was thrown, for whoever wrote the file. */
import { fileURLToPath } from 'node:url';

/** As Node writes it: a URL of an ES module, a path of CommonJS. */
const FILE = String.raw`(?:file:|\/|[A-Z]:\\)[^\n()]+:\d+`;
const HERE = fileURLToPath(new URL('../../', import.meta.url));

/** `/x/page-me.ts:12`, which may be a file that it imports: of a syntax error it stands before the stack, else in it. */
export function placeOf(thrown: unknown): string | undefined {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
  const [before] = new RegExp(`^${FILE}(?=\\n)`).exec(stack) ?? [];
  const inStack = stack.match(new RegExp(`(?<=[ (])${FILE}(?=:\\d+\\)?$)`, 'gm')) ?? [];
  const place = before ?? inStack.find((one) => !one.includes('node_modules'));
  if (place === undefined) return undefined;
  const [file, line] = [place.slice(0, place.lastIndexOf(':')), place.slice(place.lastIndexOf(':'))];
  return `${file.startsWith('file:') ? fileURLToPath(file) : file}${line}`;
}

/** Of a mistake in a handler of the user's own; of what it threw on purpose the message says enough. */
export function placeOfMistake(thrown: Error): string | undefined {
  if (!MISTAKES.has(thrown.name)) return undefined;
  const place = placeOf(thrown);
  return place?.startsWith(HERE) === true ? undefined : place;
}

const MISTAKES: ReadonlySet<string> = new Set(['TypeError', 'ReferenceError', 'RangeError']);
