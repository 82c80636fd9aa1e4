/** Parses YAML to plain values, with the lines of mistakes and keys. */
import {
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type YAMLError,
} from 'yaml';
import { toError } from '../../errors.ts';
import type { Locate } from '../locate.ts';

/** A syntax error: nothing after it can be read. */
export class YamlSyntaxError extends Error {
  override readonly name = 'YamlSyntaxError';
  /** From 1. */
  readonly line: number;
  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

export interface ParsedYaml {
  readonly value: unknown;
  readonly locate: Locate;
}

export interface YamlTree {
  readonly value: unknown;
  readonly document: Document;
  readonly lines: LineCounter;
}

/** @throws YamlSyntaxError, whose message quotes nothing from the file: the line may hold a token */
export function parseTree(text: string): YamlTree {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, prettyErrors: false });
  const fail = (message: string, offset: number): never => {
    const { line, col } = lines.linePos(offset);
    throw new YamlSyntaxError(`broken YAML in column ${col}: ${message}${hint(text, line)}`, line);
  };
  const mistake = document.errors.find((error) => !isHarmless(error, text));
  if (mistake !== undefined) fail(reasonOf(mistake), mistake.pos[0]);
  visit(document, {
    Pair(_, { key }) {
      if (isCollection(key)) fail('a key must be a string', key.range?.[0] ?? 0);
    },
    Alias(_, alias, around) {
      const target = alias.resolve(document);
      const offset = alias.range?.[0] ?? 0;
      if (target === undefined) fail('a value that begins with * needs quotes around it', offset);
      // The value would have no end.
      if (around.some((node) => node === target)) fail('an alias cannot stand inside the value that it names', offset);
    },
    // A long id, such as a chat's, would lose its last digits as a number.
    Scalar(_, scalar) {
      const { value, source = '' } = scalar;
      if (typeof value === 'number' && !Number.isSafeInteger(value) && /^[-+]?\d+$/.test(source)) scalar.value = source;
    },
  });
  try {
    return { value: document.toJS(), document, lines };
  } catch (thrown) {
    // Nested aliases that would expand without end.
    return fail(toError(thrown).message, 0);
  }
}

/** @throws YamlSyntaxError as {@link parseTree} does */
export function parseYaml(text: string): ParsedYaml {
  const { value, document, lines } = parseTree(text);
  return { value, locate: locator(document, lines) };
}

/** Errors that kubernetes-event-exporter's parser ignores, too. */
function isHarmless({ code, pos: [start] }: YAMLError, text: string): boolean {
  // A pattern in double quotes, such as "\d+": the backslash stays.
  if (code === 'BAD_DQ_ESCAPE') return true;
  // A line of --- with nothing after it.
  return code === 'MULTIPLE_DOCS' && /^(?:(?:---)?[ \t\r]*(?:#.*)?(?:\n|$))+$/.test(text.slice(start));
}

/** The reason without the library's quote of the file, which follows a colon. */
function reasonOf({ code, message }: YAMLError): string {
  if (code === 'MULTIPLE_DOCS') return 'a second document begins here, and only one is read: remove it';
  if (code === 'RESOURCE_EXHAUSTION') return 'too many values are nested in one another';
  return message.replace(/(?<=\S): .*$/s, '');
}

/** The usual mistake: to YAML, `{{` at the start of a value opens a map inside a map. */
function hint(text: string, line: number): string {
  const suspect = text.split('\n')[line - 1] ?? '';
  if (suspect.trimEnd().endsWith('：')) return '; it ends with a full-width colon (：) where YAML needs a plain one';
  if (/\{\{-? *(\.Values\b|include )/.test(suspect) || /^ *\{\{-/.test(suspect))
    return '; it is a template of Helm: render it first, with `helm template`';
  return suspect.includes('{{') ? '; a value with a template in it needs quotes around it: "{{ ... }}"' : '';
}

/** The line of the key at a path, or of the nearest key above it. Case is ignored. */
function locator(document: Document, lines: LineCounter): Locate {
  return (path) => {
    let node: unknown = document.contents;
    let offset = 0;
    for (const part of path) {
      if (isAlias(node)) node = node.resolve(document);
      if (isMap(node)) {
        const name = String(part).toLowerCase();
        const pair = node.items.find(({ key }) => isScalar(key) && String(key.value).toLowerCase() === name);
        if (!isScalar(pair?.key)) break;
        offset = pair.key.range?.[0] ?? offset;
        node = pair.value;
      } else if (isSeq(node)) {
        const item = node.items[Number(part)];
        if (!isNode(item)) break;
        offset = item.range?.[0] ?? offset;
        node = item;
      } else break;
    }
    return lines.linePos(offset).line || 1;
  };
}
