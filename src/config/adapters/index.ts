/** The configurations of other tools that are read as they are. */
import type { Adapted, AdapterOptions } from './adapter.ts';
import { adaptController, isControllerFile } from './event-controller/index.ts';
import { adaptExporterFile, isExporterFile } from './event-exporter/index.ts';
import { adaptKwatchmanFile, isKwatchmanFile } from './kwatchman.ts';
import { isTable } from '../expand.ts';
import type { Path } from '../problems.ts';
import { parseYaml, YamlSyntaxError } from './yaml.ts';

export { YamlSyntaxError } from './yaml.ts';

type Adapter = (text: string, options: AdapterOptions & { readonly file: string }) => Adapted;

/** How a file is read, told by what it holds; undefined when no adapter knows it. @throws YamlSyntaxError */
export function adapterOf(text: string, extension: string): Adapter | undefined {
  if (isControllerFile(text)) return adaptController;
  if (extension === '.ini') return undefined;
  // Theirs puts values in the place of `${NAME}` before it reads the YAML, which has none of it inside of `[...]` and `{...}`.
  const { value } = parseYaml(text.replace(/\$\{[^{}\n]*\}/g, (reference) => '$'.repeat(reference.length)));
  if (isExporterFile(value)) return adaptExporterFile;
  return isKwatchmanFile(value) ? adaptKwatchmanFile : undefined;
}

/** A ConfigMap, and values of a chart, hold one two levels down, or below the name of a chart that they are handed on to. */
const DEEPEST = 3;

/** Where in a manifest or in values of a chart a configuration stands; undefined where none is found. */
export function innerConfiguration(text: string): Path | undefined {
  const isConfiguration = (value: unknown): boolean => {
    if (typeof value !== 'string') return isExporterFile(value) || isKwatchmanFile(value);
    return value.includes('\n') && ignoringSyntax(() => adapterOf(value, '.yaml')) !== undefined;
  };
  const search = (value: unknown, path: Path): Path | undefined => {
    if (path.length > 0 && isConfiguration(value)) return path;
    if (!isTable(value) || path.length === DEEPEST) return undefined;
    for (const [key, inner] of Object.entries(value)) {
      const found = search(inner, [...path, key]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return ignoringSyntax(() => search(parseYaml(text).value, []));
}

function ignoringSyntax<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof YamlSyntaxError) return undefined;
    throw thrown;
  }
}
