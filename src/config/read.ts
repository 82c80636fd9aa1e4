/** Reads a file, in TOML or another tool's format, into tables, with the position of each in the file. */
import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { codeOf, ConfigError, IS_FOLDER, whyUnreadable } from '../errors.ts';
import { NO_FILE, type Adapted, type AdapterOptions } from './adapters/adapter.ts';
import { locateKeys, type Locate } from './locate.ts';
import { parseToml, TomlSyntaxError } from './parse-toml.ts';
import { pathText, type Path, type Problem } from './problems.ts';

export interface SourceFile {
  /** As written: references are not resolved. Empty if nothing of the file can be used, as the problems explain. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly problems: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** Whether its handlers may run programs, whatever the flags say. */
  readonly allowsPrograms?: true | undefined;
  /** Converts a problem at a path of `value` to one in the file. */
  readonly find: (problem: Problem) => Finding;
}

export interface Finding {
  readonly line: number;
  /** `handler[1].webhookURL: is missing: it must be the URL of a webhook` */
  readonly text: string;
}

/** A tool, chosen by the user, whose configuration may consist of its environment alone. */
export type NamedTool = 'event-controller' | 'pod-watcher';

/** @throws ConfigError if the file cannot be read at all */
export async function readConfigFile(
  file: string,
  options: AdapterOptions & { readonly tool?: NamedTool | undefined },
): Promise<SourceFile> {
  if (options.tool !== undefined) return fromAdapter(await adaptNamed(file, options.tool, options));
  const extension = extname(file).toLowerCase();
  if (ADAPTED.includes(extension)) return fromAdapter(await adapt(file, await read(file), options));
  if (extension !== '.toml') await refuseName(file, extension);
  const toml = await read(file);
  const value = atLine(file, () => parseToml(toml));
  const locate = locateKeys(toml);
  const find = finder(locate, (path) => path);
  return { value, problems: [], warnings: [], find };
}

const ADAPTED = ['.yaml', '.yml', '.json', '.ini'];

async function adaptNamed(file: string, tool: NamedTool, options: AdapterOptions): Promise<Adapted> {
  if (tool === 'pod-watcher') return (await import('./adapters/pod-watcher.ts')).adaptPodWatcher(options);
  const { adaptController } = await import('./adapters/event-controller/index.ts');
  return adaptController(file === NO_FILE ? undefined : await read(file), { ...options, file });
}

/** @throws ConfigError always: its name does not tell a format that we read */
async function refuseName(file: string, extension: string): Promise<never> {
  if ((await stat(file).catch(() => undefined))?.isDirectory() === true)
    throw new ConfigError([`Cannot read ${file}: ${IS_FOLDER}`]);
  if (file === '-')
    throw new ConfigError([
      'Cannot use -: a configuration is read from a file, by whose name its format is known, and again when it changes; write it to a file',
    ]);
  const found =
    extension === '' ? 'its name has no extension' : `unsupported configuration type "${extension.slice(1)}"`;
  throw new ConfigError([
    `Cannot use ${file}: ${found}; supported are .toml, and for other tools' own .yaml, .json and .ini`,
  ]);
}

async function read(
  file: string,
  remedy = '; name one with --config, or create one: watchchain new config',
): Promise<string> {
  try {
    // A byte order mark is not part of the text, and the TOML parser refuses a carriage return after a comment.
    const bytes = await readFile(file);
    // PowerShell's `>` writes UTF-16.
    const isUtf16 = bytes.length > 1 && bytes.readUInt16LE() === 0xfeff;
    return bytes
      .toString(isUtf16 ? 'utf16le' : 'utf8')
      .replace(/^\uFEFF/, '')
      .replaceAll('\r\n', '\n');
  } catch (cause) {
    const what = codeOf(cause) === 'ENOENT' ? remedy : '';
    throw new ConfigError([`Cannot read ${file}: ${whyUnreadable(cause)}${what}`], { cause });
  }
}

/** The file of another tool, whatever its extension. @throws ConfigError if it is of no known tool */
export async function readForeignFile(
  file: string,
  options: AdapterOptions,
): Promise<SourceFile & Pick<Recognized, 'tool' | 'inside'>> {
  if (extname(file).toLowerCase() === '.toml')
    throw new ConfigError([
      `Cannot import ${file}: TOML is used as it is, including kwatchman's: name the file with --config`,
    ]);
  const adapted = await adapt(file, await read(file, ''), options);
  const { tool, inside } = adapted;
  return { ...fromAdapter(adapted), tool, inside };
}

/** With the place of the configuration, if the file is a manifest or chart values that hold one. */
type Recognized = Adapted & { readonly inside?: Path | undefined };

/** Recognises the other tool by the file's content. The adapters' code is loaded only here. */
async function adapt(file: string, text: string, options: AdapterOptions): Promise<Recognized> {
  const { configurationsIn, YamlSyntaxError } = await import('./adapters/index.ts');
  const found = atLine(file, () => configurationsIn(text, extname(file).toLowerCase()), YamlSyntaxError);
  const [only] = found;
  if (only === undefined || found.length > 1) throw notConfiguration(file, text, found);
  const { path, line, text: own, recognized: adapter } = only;
  const adapted = atLine(file, () => adapter(own, { ...options, file }), YamlSyntaxError);
  return { ...(line === undefined ? adapted : allAtLine(adapted, line)), inside: path };
}

function allAtLine({ problems, warnings, ...adapted }: Adapted, line: number): Adapted {
  const at = (problem: Problem): Problem => ({ ...problem, line });
  return { ...adapted, problems: problems.map(at), warnings: warnings.map(at), locate: () => line };
}

/** @param several configurations in it, if that is what is wrong */
function notConfiguration(
  file: string,
  text: string,
  several: readonly { readonly path: Path | undefined }[],
): ConfigError {
  const places = several.map(({ path = [] }) => pathText(path)).join(' and ');
  const remedy = places === '' ? tomlRemedy(text) : `it holds several, below ${places}: move one to a file of its own`;
  return new ConfigError([
    `Cannot use ${file}: it is not a configuration of kubernetes-event-exporter ("route" and "receivers"), of kwatchman ("resource" and "handler") or of the Event Controller ("[global]"); ${remedy}`,
  ]);
}

/** kwatchman's chart, its ConfigMap and our own chart hold TOML. */
function tomlRemedy(text: string): string {
  if (/^ *slack:/m.test(text) && /^ *(watchReasons|managementCluster):/m.test(text))
    return 'it looks like the values of giantswarm/event-exporter-app, of which a chart makes the configuration: helm template watchchain CHART -f FILE > rendered.yaml, with the chart of watchchain, and name rendered.yaml here';
  return /^ *\[\[(resource|handler)\]\]/im.test(text)
    ? 'move the TOML in it to a file whose name ends in .toml, or give the values of a chart to that of watchchain'
    : "write watchchain's own as TOML, in a file whose name ends in .toml";
}

function fromAdapter({ value, problems, warnings, allowsPrograms, origin, locate }: Adapted): SourceFile {
  const own = finder(locate, (path) => path);
  const inOrder = (found: readonly Problem[]) => found.map(own).toSorted((a, b) => a.line - b.line);
  return {
    value,
    problems: inOrder(problems),
    warnings: inOrder(warnings),
    allowsPrograms,
    find: finder(locate, origin),
  };
}

function finder(locate: Locate, origin: (path: Path) => Path): (problem: Problem) => Finding {
  return ({ path, message, line }) => {
    const place = origin(path);
    return { line: line ?? locate(place), text: place.length === 0 ? message : `${pathText(place)}: ${message}` };
  };
}

/** Runs a parser, and adds the line to its error. */
function atLine<T>(
  file: string,
  parse: () => T,
  error: abstract new (...args: never[]) => Error & { line: number } = TomlSyntaxError,
): T {
  try {
    return parse();
  } catch (thrown) {
    if (thrown instanceof error)
      throw new ConfigError([`${file}:${thrown.line}: ${thrown.message}`], { cause: thrown });
    throw thrown;
  }
}
