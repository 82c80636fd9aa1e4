/**
 * Ini files as read by Python's ConfigParser, which the Event Controller uses: keys in any case, `=` or `:`, whole-line comments
 * only, values that continue on lines that are indented further. The `ini` package cuts a value, such as a password, at its first
 * `#` or `;`.
 * Unlike there, a `%` that interpolates nothing is a percent sign and does not end the program.
 */
import type { Path, Problem } from '../../problems.ts';

export interface IniFile {
  /** By name as written; keys in lower case. Each section includes the keys of `[DEFAULT]`. */
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** The keys of `[DEFAULT]`. */
  readonly defaults: ReadonlySet<string>;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** The line of `[section, key]`, from 1. */
  readonly locate: (path: Path) => number;
}

interface Entry {
  readonly line: number;
  readonly section: string;
  readonly key: string;
  readonly parts: string[];
}

const DEFAULT_SECTION = 'DEFAULT';
/** How many keys in a row may refer to another key. */
const MAX_DEPTH = 10;

/** Never throws; no message holds a value, which may be a secret. */
export function parseIni(text: string): IniFile {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const lines = new Map<string, number>();
  const entries = readEntries(text, lines, problems);
  const written = new Map([...lines.keys()].map((location) => [sectionOf(location), new Map<string, string>()]));
  for (const { section, key, parts } of entries) {
    written.get(section)?.set(key, withoutComment([section, key], parts.join('\n').trimEnd(), warnings));
  }
  const defaults = written.get(DEFAULT_SECTION) ?? new Map<string, string>();
  written.delete(DEFAULT_SECTION);
  const sections = new Map(
    [...written].map(([name, own]) => {
      const all = new Map([...defaults, ...own]);
      return [name, new Map([...all].map(([key, value]) => [key, interpolated(value, all)]))] as const;
    }),
  );
  const locate = ([section = '', key = '']: Path) =>
    lines.get(positionOf(String(section), String(key))) ?? lines.get(positionOf(String(section), '')) ?? 1;
  return { sections, defaults: new Set(defaults.keys()), problems, warnings, locate };
}

function readEntries(text: string, lines: Map<string, number>, problems: Problem[]): readonly Entry[] {
  const entries: Entry[] = [];
  let section: string | undefined;
  let open: Entry | undefined;
  let indent = 0;
  for (const [index, written] of text.split('\n').entries()) {
    const line = index + 1;
    const content = written.trim();
    if (/^[#;]/.test(content)) continue;
    // Only lines indented further than the key continue its value: a whole section may be indented.
    if (content === '' || (written.search(/\S/) > indent && open !== undefined)) {
      open?.parts.push(content);
      continue;
    }
    indent = written.search(/\S/);
    const [, header] = /^\[(.+)\]/.exec(content) ?? [];
    if (header !== undefined) {
      section = header;
      open = undefined;
      if (!lines.has(positionOf(section, ''))) lines.set(positionOf(section, ''), line);
      continue;
    }
    const [, key, value] = /^(.*?)\s*[=:]\s*(.*)$/.exec(content) ?? [];
    if (section === undefined) {
      problems.push({ path: [], message: 'a line before the first [section]', line });
      continue;
    }
    if (key === undefined || key === '') {
      problems.push({ path: [], message: 'is neither [section] nor key = value', line });
      continue;
    }
    open = { line, section, key: key.toLowerCase(), parts: [value ?? ''] };
    const location = positionOf(section, open.key);
    if (lines.has(location)) problems.push({ path: [section, open.key], message: 'is set twice: set it once' });
    lines.set(location, line);
    entries.push(open);
  }
  return entries;
}

/** The old sample file has explanations after the `=`, where they are part of the value. */
function withoutComment(path: Path, value: string, warnings: Problem[]): string {
  if (/^[#;]/.test(value)) {
    warnings.push({
      path,
      message: 'is taken for a comment, so the key has no value: put comments on a line of their own',
    });
    return '';
  }
  if (/\s[#;]\s/.test(value)) {
    warnings.push({
      path,
      message: 'the text after the "#" is part of the value: put comments on a line of their own',
    });
  }
  return value;
}

/** `%%` is `%`, `%(other)s` another key of the section. */
function interpolated(value: string, section: ReadonlyMap<string, string>, depth = 0): string {
  return value.replace(/%%|%\(([^)]+)\)s/g, (token, name?: string) => {
    if (name === undefined) return '%';
    const other = section.get(name.toLowerCase());
    return other === undefined || depth === MAX_DEPTH ? token : interpolated(other, section, depth + 1);
  });
}

function positionOf(section: string, key: string): string {
  return `${section}\n${key}`;
}

function sectionOf(location: string): string {
  return location.slice(0, location.indexOf('\n'));
}
