/** Why a user's file could not be imported, in words that say what to do about it. */
import { findPackageJSON } from 'node:module';
import { fileURLToPath } from 'node:url';
import { codeOf, toError } from '../errors.ts';

const RENAME = 'rename the file to .mts (or .mjs for JavaScript)';

/** One sentence or two for whoever wrote the file at `path`: what `import(path)` threw, and the remedy where it is known. */
export function remedyOf(thrown: unknown, path: string): string {
  const { message } = toError(thrown);
  const place = placeOf(thrown);
  switch (codeOf(thrown) ?? '') {
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return `${message}${place}: types are stripped, not compiled; write an enum as a const object, a namespace as plain exports, and a parameter property as a field`;
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return 'TypeScript inside node_modules is not run: move the file out of it, or compile it to JavaScript';
    case 'ERR_MODULE_NOT_FOUND':
    case 'MODULE_NOT_FOUND':
      return `${message}: install what it imports beside it, or mend the path`;
    default:
  }
  if (/import statement outside a module|Unexpected token 'export'/.test(message)) {
    return commonJsRemedy(message, path);
  }
  if (/\b(?:require|module|exports|__dirname|__filename) is not defined/.test(message)) {
    // What Node says on further lines is to rename the file, which is another way out.
    return `${message.split('\n', 1).join()}${place}: it is loaded as an ES module, so use import and export, and import.meta.dirname for its folder`;
  }
  const isNowhere = place === '' && thrown instanceof SyntaxError;
  return `it cannot be loaded: ${message}${place}${isNowhere ? `; where, says: node --check ${path}` : ''}`;
}

/** As Node writes it: a URL of an ES module, a path of CommonJS. */
const FILE = String.raw`(?:file:|\/|[A-Z]:\\)[^\n()]+:\d+`;

/** File and line, which may be those of a file that it imports: of a syntax error they stand before the stack, else in it. */
function placeOf(thrown: unknown): string {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
  const [before] = new RegExp(`^${FILE}(?=\\n)`).exec(stack) ?? [];
  const inStack = stack.match(new RegExp(`(?<=[ (])${FILE}(?=:\\d+\\)?$)`, 'gm')) ?? [];
  const place = before ?? inStack.find((one) => !one.includes('node_modules'));
  if (place === undefined) return '';
  const [file, line] = [place.slice(0, place.lastIndexOf(':')), place.slice(place.lastIndexOf(':'))];
  return ` (${file.startsWith('file:') ? fileURLToPath(file) : file}${line})`;
}

function commonJsRemedy(message: string, path: string): string {
  const neighbour = findPackageJSON('.', path);
  if (/\.c[jt]s$/.test(path)) return `a .cjs or .cts file is CommonJS (${message}): ${RENAME}`;
  if (neighbour?.endsWith('package.json') !== true) return `${message}: ${RENAME}`;
  return `${neighbour} makes it CommonJS (${message}): ${RENAME}, or set "type": "module" there`;
}
