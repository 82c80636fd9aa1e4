/** The other tools whose configurations are read as they are. */
import type { Adapted, AdapterOptions } from './adapter.ts';
import { adaptController, isControllerFile } from './event-controller/index.ts';
import { adaptExporterFile, isExporterFile } from './event-exporter/index.ts';
import { adaptKwatchmanFile, isKwatchmanFile } from './kwatchman.ts';
import { innerConfigurations, type InnerConfiguration } from './inner.ts';
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
  const value = ignoringSyntax(read) ?? (configurationsIn(text).length === 0 ? read() : undefined);
  if (isExporterFile(value)) return adaptExporterFile;
  return isKwatchmanFile(value) ? adaptKwatchmanFile : undefined;
}

/** The configurations inside a manifest or chart values. */
export function configurationsIn(text: string): readonly InnerConfiguration[] {
  return innerConfigurations(text, (value) => {
    if (typeof value !== 'string') return isExporterFile(value) || isKwatchmanFile(value);
    return value.includes('\n') && ignoringSyntax(() => adapterOf(value, '.yaml')) !== undefined;
  });
}

function ignoringSyntax<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof YamlSyntaxError) return undefined;
    throw thrown;
  }
}
