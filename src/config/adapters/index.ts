/** The configurations of other tools that are read as they are. */
import type { Adapted, AdapterOptions } from './adapter.ts';
import { adaptExporterFile, isExporterFile } from './event-exporter/index.ts';
import { parseYaml } from './yaml.ts';

export { YamlSyntaxError } from './yaml.ts';

/** How a file in YAML is read, told by what it holds; undefined when no adapter knows it. @throws YamlSyntaxError */
export function adapterOf(text: string): ((text: string, options: AdapterOptions) => Adapted) | undefined {
  return isExporterFile(parseYaml(text).value) ? adaptExporterFile : undefined;
}
