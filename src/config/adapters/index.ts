/** The other tools whose configurations are read as they are. */
import type { Adapted, AdapterOptions } from './adapter.ts';
import { adaptController, isControllerFile } from './event-controller/index.ts';
import { adaptExporterFile, isExporterFile } from './event-exporter/index.ts';
import { adaptKwatchmanFile, isKwatchmanFile } from './kwatchman.ts';
import type { Path } from '../problems.ts';
import { innerConfigurations, type InnerConfiguration } from './inner.ts';
import { parseYaml, YamlSyntaxError } from './yaml.ts';

export { YamlSyntaxError } from './yaml.ts';

type Adapter = (text: string, options: AdapterOptions & { readonly file: string }) => Adapted;

/** A configuration of another tool: the whole file, or one inside it. */
export interface FoundConfiguration extends Omit<InnerConfiguration<Adapter>, 'path'> {
  /** Where in the file it is; undefined: it is the whole file. */
  readonly path: Path | undefined;
}

/**
 * The file itself, if it is a configuration, else those inside it: it may be a manifest, or the values of a chart.
 * @throws YamlSyntaxError if it cannot be read as one document, and there are none inside it
 */
export function configurationsIn(text: string, extension: string): readonly FoundConfiguration[] {
  const whole = ignoringSyntax(() => adapterOf(text, extension));
  if (whole !== undefined) return [{ path: undefined, text, line: undefined, recognized: whole }];
  const inner = innerConfigurations(text, (value) => {
    if (typeof value !== 'string') return adapterOfValue(value);
    return value.includes('\n') ? ignoringSyntax(() => adapterOf(value, '.yaml')) : undefined;
  });
  // Reports the mistake.
  if (inner.length === 0) adapterOf(text, extension);
  return inner;
}

/** By the content of a file; undefined if there is none. @throws YamlSyntaxError */
function adapterOf(text: string, extension: string): Adapter | undefined {
  if (isControllerFile(text)) return adaptController;
  if (extension === '.ini') return undefined;
  // kubernetes-event-exporter expands `${NAME}` before it parses; unexpanded, it is invalid YAML inside of `[...]` and `{...}`.
  const unexpanded = text.replace(/\$\{[^{}\n]*\}/g, (reference) => '$'.repeat(reference.length));
  return adapterOfValue(parseYaml(unexpanded).value);
}

function adapterOfValue(value: unknown): Adapter | undefined {
  if (isExporterFile(value)) return adaptExporterFile;
  return isKwatchmanFile(value) ? adaptKwatchmanFile : undefined;
}

function ignoringSyntax<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof YamlSyntaxError) return undefined;
    throw thrown;
  }
}
