/**
 * Writes docs/handlers/NAME.md of every built-in handler. With `--check` it writes nothing, and fails when a page is
 * not what would be written.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { builtinHandlers, handlerPage } from '../src/cli/handler-page.ts';

const folder = new URL('./handlers/', import.meta.url);
const check = process.argv.includes('--check');

const pages = new Map(
  (await builtinHandlers()).map((definition) => [`${definition.name}.md`, handlerPage(definition)]),
);
const stale: string[] = (await readdir(folder)).filter((file) => file.endsWith('.md') && !pages.has(file));
for (const [file, page] of pages) {
  if (check) {
    const written = await readFile(new URL(file, folder), 'utf8').catch(() => undefined);
    if (written !== page) stale.push(file);
  } else {
    await writeFile(new URL(file, folder), page);
  }
}

if (stale.length > 0) {
  const remedy = check ? 'run `node docs/generate.ts`' : 'no handler has that name: delete it';
  process.stderr.write(stale.map((file) => `docs/handlers/${file} is out of date: ${remedy}\n`).join(''));
  process.exitCode = 1;
}
