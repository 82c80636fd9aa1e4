/** Where an error was thrown, for the author of the file. */
import { fileURLToPath } from 'node:url';

/** Node names ES modules by URL, CommonJS by path. */
const FILE_AND_LINE = String.raw`(?:file:|\/|[A-Z]:\\)[^\n()]+:\d+`;
const PACKAGE_ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** `/x/page-me.ts:12`, or a file that it imports. For a syntax error the place comes before the stack, otherwise in it. */
export function locationOf(thrown: unknown): string | undefined {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
  const [before] = new RegExp(`^${FILE_AND_LINE}(?=\\n)`).exec(stack) ?? [];
  const inStack = stack.match(new RegExp(`(?<=[ (])${FILE_AND_LINE}(?=:\\d+\\)?$)`, 'gm')) ?? [];
  const location = before ?? inStack.find((frame) => !frame.includes('node_modules'));
  if (location === undefined) return undefined;
  const [file, line] = [location.slice(0, location.lastIndexOf(':')), location.slice(location.lastIndexOf(':'))];
  return `${file.startsWith('file:') ? fileURLToPath(file) : file}${line}`;
}

/** The place of a bug in a user's own handler; for an error thrown on purpose the message is enough. */
export function bugLocationOf(thrown: Error): string | undefined {
  if (!BUG_NAMES.has(thrown.name)) return undefined;
  const location = locationOf(thrown);
  return location?.startsWith(PACKAGE_ROOT) === true ? undefined : location;
}

const BUG_NAMES: ReadonlySet<string> = new Set(['TypeError', 'ReferenceError', 'RangeError']);
