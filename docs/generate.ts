/**
 * Writes docs/configuration.md, docs/templates.md, docs/metrics.md, chart/README.md, the schema of the plug-in contract, and
 * docs/handlers/NAME.md of every built-in handler. With `--check` it writes nothing, and fails if a page would change.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { builtinHandlers, handlerPage } from '../src/cli/handler-page.ts';
import { configurationPage } from './configuration-page.ts';
import { metricsPage, type RuleFile } from './metrics-page.ts';
import { contractSchema } from '../src/plugin/contract.ts';
import { templatesPage } from '../src/template/page.ts';
import { chartPage } from './chart-page.ts';

const docs = new URL('./', import.meta.url);
const check = process.argv.includes('--check');

const pages = new Map(
  (await builtinHandlers()).map((definition) => [`handlers/${definition.name}.md`, handlerPage(definition)]),
);
pages.set('configuration.md', configurationPage());
pages.set('templates.md', templatesPage());
const alerts = await readFile(new URL('../chart/files/alerts.yaml', docs), 'utf8');
pages.set('metrics.md', metricsPage(parse(alerts) as RuleFile));
pages.set('plugin-contract.schema.json', contractSchema());
pages.set('../chart/README.md', chartPage(await readFile(new URL('../chart/values.yaml', docs), 'utf8')));
const written = (await readdir(new URL('handlers/', docs))).map((file) => `handlers/${file}`);
const stale: string[] = written.filter((file) => file.endsWith('.md') && !pages.has(file));
for (const [file, page] of pages) {
  if (check) {
    const current = await readFile(new URL(file, docs), 'utf8').catch(() => undefined);
    if (current !== page) stale.push(file);
  } else {
    await writeFile(new URL(file, docs), page);
  }
}

if (stale.length > 0) {
  const remedy = check ? 'run `node docs/generate.ts`' : 'no handler has that name: delete it';
  process.stderr.write(stale.map((file) => `docs/${file} is out of date: ${remedy}\n`).join(''));
  process.exitCode = 1;
}
