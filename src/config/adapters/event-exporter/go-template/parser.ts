/** Parses the tokens of a Go template into a syntax tree. */
import { GoTemplateError, type Command, type Nodes, type Operand, type Pipe, type TemplateNode } from './ast.ts';
import { piecesOf, type Piece, type Token } from './lexer.ts';

/** @throws GoTemplateError saying what is wrong or not supported */
export function parseGoTemplate(template: string): Nodes {
  const reader = new TemplateReader(piecesOf(template));
  const { nodes, end } = reader.list();
  if (end !== undefined) throw new GoTemplateError(`{{${end.keyword}}} without {{if}}, {{with}} or {{range}}`);
  return nodes;
}

/** The action that ended a list: `end`, or `else` with what follows it. */
interface ListEnd {
  readonly keyword: 'end' | 'else';
  readonly rest: ActionReader;
}

const UNSUPPORTED: ReadonlySet<string> = new Set(['define', 'template', 'block']);

class TemplateReader {
  readonly #pieces: readonly Piece[];
  #next = 0;
  /** How many loops are open. */
  #loops = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  list(): { readonly nodes: Nodes; readonly end: ListEnd | undefined } {
    const nodes: TemplateNode[] = [];
    for (let piece = this.#take(); piece !== undefined; piece = this.#take()) {
      if ('text' in piece) {
        nodes.push({ type: 'text', text: piece.text });
        continue;
      }
      const action = new ActionReader(piece.action);
      const keyword = action.keyword();
      if (keyword === 'end') action.mustBeEmpty(keyword);
      if (keyword === 'end' || keyword === 'else') return { nodes, end: { keyword, rest: action } };
      nodes.push(this.#action(keyword, action));
    }
    return { nodes, end: undefined };
  }

  #action(keyword: string | undefined, action: ActionReader): TemplateNode {
    if (keyword === 'if' || keyword === 'with' || keyword === 'range') return this.#block(keyword, action);
    if (keyword === 'break' || keyword === 'continue') {
      action.mustBeEmpty(keyword);
      if (this.#loops === 0) throw new GoTemplateError(`{{${keyword}}} without {{range}}`);
      return { type: keyword };
    }
    if (keyword !== undefined && UNSUPPORTED.has(keyword)) throw new GoTemplateError(`{{${keyword}}} is not supported`);
    return { type: 'action', pipe: action.wholePipe() };
  }

  #block(type: 'if' | 'with' | 'range', action: ActionReader): TemplateNode {
    const pipe = action.wholePipe();
    const loops = type === 'range' ? 1 : 0;
    this.#loops += loops;
    const { nodes: body, end } = this.list();
    this.#loops -= loops;
    return { type, pipe, body, otherwise: this.#otherwise(type, end) };
  }

  /** The nodes between `else` and `end`; `else if` is an `if` inside the `else` that shares its end. */
  #otherwise(type: 'if' | 'with' | 'range', end: ListEnd | undefined): Nodes {
    if (end === undefined) throw new GoTemplateError(`{{${type}}} without {{end}}`);
    if (end.keyword === 'end') return [];
    const inner = end.rest.keyword();
    if (inner === 'if' || inner === 'with') return [this.#block(inner, end.rest)];
    end.rest.mustBeEmpty('else');
    const { nodes, end: last } = this.list();
    if (last?.keyword !== 'end') throw new GoTemplateError(`{{${type}}} without {{end}}`);
    return nodes;
  }

  #take(): Piece | undefined {
    return this.#pieces[this.#next++];
  }
}

const KEYWORDS: ReadonlySet<string> = new Set([
  'if',
  'with',
  'range',
  'else',
  'end',
  'break',
  'continue',
  'define',
  'template',
  'block',
]);

class ActionReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** Consumes the keyword that the action begins with, if any. */
  keyword(): string | undefined {
    this.#skipSpace();
    const token = this.#peek();
    if (token?.type !== 'word' || !KEYWORDS.has(token.text)) return undefined;
    this.#at += 1;
    return token.text;
  }

  /** @throws GoTemplateError if anything follows the keyword */
  mustBeEmpty(keyword: string): void {
    this.#skipSpace();
    if (this.#peek() !== undefined) throw new GoTemplateError(`{{${keyword}}} takes nothing`);
  }

  wholePipe(): Pipe {
    const pipe = this.#pipe();
    if (this.#peek() !== undefined) throw new GoTemplateError(`"${shown(this.#peek())}" is not expected there`);
    return pipe;
  }

  #pipe(): Pipe {
    const { variables, assigns } = this.#declaration();
    const commands: Command[] = [];
    do commands.push(this.#command());
    while (this.#takeSymbol('|'));
    return { variables, assigns, commands };
  }

  /** `$x :=`, `$i, $x :=` or `$x =`; consumes nothing if there is no declaration. */
  #declaration(): { readonly variables: readonly string[]; readonly assigns: boolean } {
    const start = this.#at;
    const variables: string[] = [];
    do {
      this.#skipSpace();
      const token = this.#peek();
      if (token?.type !== 'variable') break;
      variables.push(token.text);
      this.#at += 1;
    } while (this.#takeSymbol(','));
    if (variables.length > 0) {
      if (this.#takeSymbol(':=')) return { variables, assigns: false };
      if (this.#takeSymbol('=')) return { variables, assigns: true };
    }
    this.#at = start;
    return { variables: [], assigns: false };
  }

  #command(): Command {
    const operands: Operand[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (token === undefined || (token.type === 'symbol' && (token.text === '|' || token.text === ')'))) break;
      operands.push(this.#operand());
    }
    if (operands.length === 0) throw new GoTemplateError('a value is missing');
    return operands;
  }

  #operand(): Operand {
    let operand = this.#term();
    for (let token = this.#peek(); token?.type === 'field'; token = this.#peek()) {
      this.#at += 1;
      operand = { type: 'field', of: operand, name: token.text };
    }
    return operand;
  }

  #term(): Operand {
    const token = this.#peek();
    this.#at += 1;
    if (token?.type === 'string') return { type: 'string', value: token.value };
    if (token?.type === 'number') return { type: 'number', value: token.value };
    if (token?.type === 'variable') return { type: 'variable', name: token.text };
    if (token?.type === 'field') return { type: 'field', of: { type: 'dot' }, name: token.text };
    if (token?.type === 'word') return wordOperand(token.text);
    if (token?.type === 'symbol' && token.text === '.') return { type: 'dot' };
    if (token?.type === 'symbol' && token.text === '(') {
      const pipe = this.#pipe();
      if (!this.#takeSymbol(')')) throw new GoTemplateError('"(" without ")"');
      return { type: 'pipe', pipe };
    }
    throw new GoTemplateError(`"${shown(token)}" is not expected there`);
  }

  #takeSymbol(text: string): boolean {
    const start = this.#at;
    this.#skipSpace();
    const token = this.#peek();
    if (token?.type === 'symbol' && token.text === text) {
      this.#at += 1;
      return true;
    }
    this.#at = start;
    return false;
  }

  #skipSpace(): void {
    while (this.#peek()?.type === 'space') this.#at += 1;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }
}

function wordOperand(word: string): Operand {
  if (word === 'true' || word === 'false') return { type: 'boolean', value: word === 'true' };
  if (word === 'nil') return { type: 'nil' };
  return { type: 'name', name: word };
}

function shown(token: Token | undefined): string {
  if (token === undefined || token.type === 'space') return '';
  return 'text' in token ? token.text : String(token.value);
}
