/** Finds a configuration inside a manifest, such as a ConfigMap, or inside a chart's values. */
import { isMap, isScalar, type Document, type LineCounter } from 'yaml';
import type { Path } from '../problems.ts';
import { parseTree, YamlSyntaxError } from './yaml.ts';

/** ConfigMaps and chart values hold a configuration two levels down, or one more below the name of a subchart. */
const DEEPEST = 3;

export interface InnerConfiguration {
  readonly path: Path;
  /** It alone, each of its lines where it is in the file; undefined where lines cannot be told apart, as between quotes. */
  readonly text: string | undefined;
}

/** In the order of the file, which may hold several documents; one with a syntax error is passed over. */
export function innerConfigurations(
  text: string,
  isConfiguration: (value: unknown) => boolean,
): readonly InnerConfiguration[] {
  let line = 0;
  return text.split(/^(?=---(?:\s|$))/m).flatMap((part) => {
    const above = '\n'.repeat(line);
    line += part.split('\n').length - 1;
    try {
      const { document, lines } = parseTree(part.replace(/^---/, '   '));
      return [...configurationsBelow({ document, lines, text: part }, isConfiguration)].map((found) => ({
        ...found,
        text: found.text === undefined ? undefined : above + found.text,
      }));
    } catch (thrown) {
      if (thrown instanceof YamlSyntaxError) return [];
      throw thrown;
    }
  });
}

interface Tree {
  readonly document: Document;
  readonly lines: LineCounter;
  readonly text: string;
}

function* configurationsBelow(
  tree: Tree,
  isConfiguration: (value: unknown) => boolean,
  node: unknown = tree.document.contents,
  path: Path = [],
): Generator<InnerConfiguration> {
  if (!isMap(node) || path.length === DEEPEST) return;
  for (const { key, value } of node.items) {
    const here = [...path, String(key)];
    const isCandidate = isMap(value) || (isScalar(value) && typeof value.value === 'string');
    if (isCandidate && isConfiguration(value.toJS(tree.document))) yield { path: here, text: textOf(value, tree) };
    else yield* configurationsBelow(tree, isConfiguration, value, here);
  }
}

function textOf(node: unknown, { lines, text }: Tree): string | undefined {
  if (isScalar<string>(node) && node.type === 'BLOCK_LITERAL')
    return '\n'.repeat(lines.linePos(node.range?.[0] ?? 0).line) + node.value;
  if (!isMap(node) || node.flow === true) return undefined;
  const [start = 0, end = 0] = node.range ?? [];
  const { line, col } = lines.linePos(start);
  const indent = new RegExp(`^ {1,${col - 1}}`, 'gm');
  return '\n'.repeat(line - 1) + text.slice(start - col + 1, end).replace(indent, '');
}
