/**
 * Importing this module makes `import ... from 'watchchain'` and `'watchchain/testing'` resolve to the running copy, wherever the
 * importing file is: a user's handler needs no package.json, no node_modules and no build. It is imported when the first such
 * file is loaded, and by `node --import` for its test.
 */
import { registerHooks } from 'node:module';
import { extname } from 'node:path';

/** `.ts` when run from source, `.js` in the published package. */
const extension = extname(import.meta.url);
const entries: ReadonlyMap<string, string> = new Map([
  ['watchchain', new URL(`../index${extension}`, import.meta.url).href],
  ['watchchain/testing', new URL(`../testing/index${extension}`, import.meta.url).href],
]);

registerHooks({
  resolve(specifier, context, nextResolve) {
    const url = entries.get(specifier);
    return url === undefined ? nextResolve(specifier, context) : { url, shortCircuit: true };
  },
});
