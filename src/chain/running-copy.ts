/**
 * Evaluating this module makes `import ... from 'watchchain'` mean the running copy, wherever the importing file lies: a
 * user's handler needs no package.json, no node_modules and no build. It is imported when the first such file is loaded.
 */
import { registerHooks } from 'node:module';
import { extname } from 'node:path';

/** `.ts` when run from source, `.js` in the published package. */
const entry = new URL(`../index${extname(import.meta.url)}`, import.meta.url).href;

registerHooks({
  resolve: (specifier, context, nextResolve) =>
    specifier === 'watchchain' ? { url: entry, shortCircuit: true } : nextResolve(specifier, context),
});
