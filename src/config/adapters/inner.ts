/** Finds a configuration inside a manifest, such as a ConfigMap, or inside a chart's values. */
import { isMap, isScalar, type Document, type LineCounter, type Scalar, type YAMLMap } from 'yaml';
import type { Path } from '../problems.ts';
import { parseTree, YamlSyntaxError } from './yaml.ts';

/** ConfigMaps and chart values hold a configuration two levels down, or one more below the name of a subchart. */
const DEEPEST = 3;

export interface InnerConfiguration<Recognized> {
  readonly path: Path;
  /** It alone, each of its lines where it is in the file, unless that is all on one {@link line}. */
  readonly text: string;
  /** Set where its lines cannot be told apart, as between quotes. From 1. */
  readonly line: number | undefined;
  readonly recognized: Recognized;
}

/** In the order of the file, which may hold several documents; one with a syntax error is passed over. */
export function innerConfigurations<Recognized>(
  text: string,
  recognize: (value: unknown) => Recognized | undefined,
): readonly InnerConfiguration<Recognized>[] {
  let above = 0;
  return text.split(/^(?=---(?:\s|$))/m).flatMap((part) => {
    const offset = above;
    above += part.split('\n').length - 1;
    try {
      const { document, lines } = parseTree(part.replace(/^---/, '   '));
      return [...configurationsBelow({ document, lines, text: part }, recognize)].map((found) =>
        movedDown(found, offset),
      );
    } catch (thrown) {
      if (thrown instanceof YamlSyntaxError) return [];
      throw thrown;
    }
  });
}

function movedDown<Found extends InnerConfiguration<unknown>>(found: Found, by: number): Found {
  const { text, line } = found;
  return line === undefined ? { ...found, text: '\n'.repeat(by) + text } : { ...found, line: line + by };
}

interface Tree {
  readonly document: Document;
  readonly lines: LineCounter;
  readonly text: string;
}

function* configurationsBelow<Recognized>(
  tree: Tree,
  recognize: (value: unknown) => Recognized | undefined,
  node: unknown = tree.document.contents,
  path: Path = [],
): Generator<InnerConfiguration<Recognized>> {
  if (!isMap(node) || path.length === DEEPEST) return;
  for (const { key, value } of node.items) {
    const here = [...path, String(key)];
    const isCandidate = isMap(value) || (isScalar(value) && typeof value.value === 'string');
    const found: unknown = isCandidate ? value.toJS(tree.document) : undefined;
    const recognized = recognize(found);
    if (isCandidate && recognized !== undefined) yield { path: here, recognized, ...textOf(value, found, tree) };
    else yield* configurationsBelow(tree, recognize, value, here);
  }
}

function textOf(
  node: YAMLMap | Scalar,
  value: unknown,
  { lines, text }: Tree,
): Pick<InnerConfiguration<unknown>, 'text' | 'line'> {
  const [start = 0, end = 0] = node.range ?? [];
  const { line, col } = lines.linePos(start);
  if (isScalar(node) && node.type === 'BLOCK_LITERAL')
    return { text: '\n'.repeat(line) + String(value), line: undefined };
  if (isMap(node) && node.flow !== true) {
    const indent = new RegExp(`^ {1,${col - 1}}`, 'gm');
    return { text: '\n'.repeat(line - 1) + text.slice(start - col + 1, end).replace(indent, ''), line: undefined };
  }
  return { text: typeof value === 'string' ? value : JSON.stringify(value), line };
}
