/** Explains why a user's file could not be imported, and what to do about it. */
import { findPackageJSON } from 'node:module';
import { codeOf, toError } from '../errors.ts';
import { locationOf } from './error-location.ts';

/** An absolute or relative path, not the name of a package. */
const IMPORTED_FILE = /^Cannot find module '[./]/;
const RENAME = 'rename the file to .mts (or .mjs for JavaScript)';

/** One or two sentences for the author of the file at `path`: what `import(path)` threw, and the remedy if known. */
export function remedyOf(thrown: unknown, path: string): string {
  const { message } = toError(thrown);
  const at = locationOf(thrown);
  const location = at === undefined ? '' : ` (${at})`;
  switch (codeOf(thrown) ?? '') {
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return `${message}${location}: types are stripped, not compiled; write an enum as a const object, a namespace as plain exports, and a parameter property as a field`;
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return 'TypeScript inside node_modules is not run: move the file out of it, or compile it to JavaScript';
    case 'ERR_MODULE_NOT_FOUND':
    case 'MODULE_NOT_FOUND':
      return `${message}: ${IMPORTED_FILE.test(message) ? 'correct the path, which ends with the extension of the file' : 'install the imported package next to it'}`;
    default:
  }
  if (/import statement outside a module|Unexpected token 'export'/.test(message)) {
    return commonJsRemedy(message, path);
  }
  if (/\b(?:require|module|exports|__dirname|__filename) is not defined/.test(message)) {
    // Node's further lines suggest renaming the file, which is a different remedy.
    return `${message.split('\n', 1).join()}${location}: it is loaded as an ES module, so use import and export, and import.meta.dirname for its folder`;
  }
  const missing = /does not provide an export named '(.+)'/.exec(message)?.[1];
  if (missing !== undefined && /\.[cm]?ts$/.test(path)) {
    return `${message}${location}: types are stripped, so mark a type as one: import { type ${missing} }`;
  }
  const hasNoLocation = location === '' && thrown instanceof SyntaxError;
  return `it cannot be loaded: ${message}${location}${hasNoLocation ? `; to find the line, run: node --check ${path}` : ''}`;
}

function commonJsRemedy(message: string, path: string): string {
  const neighbour = findPackageJSON('.', path);
  if (/\.c[jt]s$/.test(path)) return `a .cjs or .cts file is CommonJS (${message}): ${RENAME}`;
  if (neighbour?.endsWith('package.json') !== true) return `${message}: ${RENAME}`;
  return `${neighbour} makes it CommonJS (${message}): ${RENAME}, or set "type": "module" there`;
}
