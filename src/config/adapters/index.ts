/** The other tools whose configurations are read as they are. */
import type { Adapted, AdapterOptions } from './adapter.ts';
import { adaptController, isControllerFile } from './event-controller/index.ts';
import { adaptExporterFile, isExporterFile } from './event-exporter/index.ts';
import { adaptKwatchmanFile, isKwatchmanFile } from './kwatchman.ts';
import { isTable } from '../expand.ts';
import type { Path } from '../problems.ts';
import { parseYaml, YamlSyntaxError } from './yaml.ts';

export { YamlSyntaxError } from './yaml.ts';

type Adapter = (text: string, options: AdapterOptions & { readonly file: string }) => Adapted;

/** The adapter for a file, by its content; undefined if there is none. @throws YamlSyntaxError */
export function adapterOf(text: string, extension: string): Adapter | undefined {
  if (isControllerFile(text)) return adaptController;
  if (extension === '.ini') return undefined;
  // kubernetes-event-exporter expands `${NAME}` before it parses; unexpanded, it is invalid YAML inside of `[...]` and `{...}`.
  const unexpanded = text.replace(/\$\{[^{}\n]*\}/g, (reference) => '$'.repeat(reference.length));
  const read = (): unknown => parseYaml(unexpanded).value;
  // Several manifests, one with a configuration in it: that is the mistake to report, not the second document.
  const value = ignoringSyntax(read) ?? (innerConfiguration(text) === undefined ? read() : undefined);
  if (isExporterFile(value)) return adaptExporterFile;
  return isKwatchmanFile(value) ? adaptKwatchmanFile : undefined;
}

/** ConfigMaps and chart values hold a configuration two levels down, or one more below the name of a subchart. */
const DEEPEST = 3;

/** The path of a configuration inside a manifest or chart values; undefined if none is found. */
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
  // A manifest often holds several documents.
  for (const document of text.split(/^---(?=\s|$)/m)) {
    const found = ignoringSyntax(() => search(parseYaml(document).value, []));
    if (found !== undefined) return found;
  }
  return undefined;
}

function ignoringSyntax<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof YamlSyntaxError) return undefined;
    throw thrown;
  }
}
