/** The configurations of other tools that are read as they are. */
import type { Adapted, AdapterOptions } from './adapter.ts';
import { adaptController, isControllerFile } from './event-controller/index.ts';
import { adaptExporterFile, isExporterFile } from './event-exporter/index.ts';
import { adaptKwatchmanFile, isKwatchmanFile } from './kwatchman.ts';
import { parseYaml } from './yaml.ts';

export { YamlSyntaxError } from './yaml.ts';

type Adapter = (text: string, options: AdapterOptions & { readonly file: string }) => Adapted;

/** How a file is read, told by what it holds; undefined when no adapter knows it. @throws YamlSyntaxError */
export function adapterOf(text: string, extension: string): Adapter | undefined {
  if (isControllerFile(text)) return adaptController;
  if (extension === '.ini') return undefined;
  const { value } = parseYaml(text);
  if (isExporterFile(value)) return adaptExporterFile;
  return isKwatchmanFile(value) ? adaptKwatchmanFile : undefined;
}
