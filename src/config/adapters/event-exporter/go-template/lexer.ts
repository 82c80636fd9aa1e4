/** Splits a Go template into text and actions, and an action into tokens. */
import { GoTemplateError } from './ast.ts';

export type Piece = { readonly text: string } | { readonly action: readonly Token[] };

export type Token =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'number'; readonly value: number }
  /** With its dot or dollar sign: `.Reason`, `$x`. */
  | { readonly type: 'field' | 'variable' | 'word' | 'symbol'; readonly text: string }
  /** Separates arguments: `.A.B` is one operand, `.A .B` are two. */
  | { readonly type: 'space' };

const ACTION_START = /\{\{(-(?=\s))?/g;
const COMMENT = /\s*\/\*[^]*?\*\/\s*/y;
const ACTION_END = /(?:(?<=\s)-)?\}\}/y;

/** @throws GoTemplateError for an action that does not end, or a character that Go does not accept */
export function piecesOf(template: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trimsNext = false;
  const addText = (text: string, trimsEnd: boolean) => {
    let kept = trimsNext ? text.trimStart() : text;
    if (trimsEnd) kept = kept.trimEnd();
    if (kept !== '') pieces.push({ text: kept });
  };
  for (;;) {
    ACTION_START.lastIndex = at;
    const start = ACTION_START.exec(template);
    if (start === null) break;
    addText(template.slice(at, start.index), start[1] !== undefined);
    const action = readAction(template, ACTION_START.lastIndex);
    if (action.tokens.length > 0) pieces.push({ action: action.tokens });
    at = action.end;
    trimsNext = action.trims;
  }
  addText(template.slice(at), false);
  return pieces;
}

const TOKENS: readonly (readonly [RegExp, (found: string) => Token])[] = [
  [/\s+/y, () => ({ type: 'space' })],
  [/"(?:\\.|[^"\\\n])*"/y, (found) => ({ type: 'string', value: unquote(found) })],
  [/`[^`]*`/y, (found) => ({ type: 'string', value: found.slice(1, -1) })],
  [
    /'(?:\\.|[^'\\\n])+'/y,
    (found) => ({ type: 'number', value: unquote(`"${found.slice(1, -1)}"`).codePointAt(0) ?? 0 }),
  ],
  [/[+-]?(?:0[xX][\da-fA-F_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])/y, numberToken],
  [/\.[\p{L}_][\p{L}\p{N}_]*/uy, (text) => ({ type: 'field', text: text.slice(1) })],
  [/\$[\p{L}\p{N}_]*/uy, (text) => ({ type: 'variable', text })],
  [/[\p{L}_][\p{L}\p{N}_]*/uy, (text) => ({ type: 'word', text })],
  [/:=|[|(),=.]/y, (text) => ({ type: 'symbol', text })],
];

function readAction(
  template: string,
  start: number,
): { readonly tokens: readonly Token[]; readonly end: number; readonly trims: boolean } {
  const tokens: Token[] = [];
  let at = start;
  COMMENT.lastIndex = at;
  if (COMMENT.test(template)) at = COMMENT.lastIndex;
  for (;;) {
    ACTION_END.lastIndex = at;
    const [end] = ACTION_END.exec(template) ?? [];
    if (end !== undefined) return { tokens, end: ACTION_END.lastIndex, trims: end.startsWith('-') };
    const token = readToken(template, at);
    tokens.push(token.token);
    at = token.end;
  }
}

function readToken(template: string, at: number): { readonly token: Token; readonly end: number } {
  for (const [pattern, toToken] of TOKENS) {
    pattern.lastIndex = at;
    const [found] = pattern.exec(template) ?? [];
    if (found !== undefined) return { token: toToken(found), end: at + found.length };
  }
  if (at >= template.length) throw new GoTemplateError('an action is not closed: "{{" without "}}"');
  const shown = JSON.stringify(template.slice(at, at + 12).split('\n')[0]);
  throw new GoTemplateError(
    /^["`]/.test(template.slice(at))
      ? `a string is not closed: ${shown}`
      : `${shown} is not part of the template language`,
  );
}

function numberToken(found: string): Token {
  const value = Number(found.replaceAll('_', ''));
  if (Number.isNaN(value)) throw new GoTemplateError(`${found} is not a number`);
  return { type: 'number', value };
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

const LAST_CODE_POINT = 0x10ffff;

/** The value of a Go interpreted string literal. */
function unquote(literal: string): string {
  return literal
    .slice(1, -1)
    .replace(/\\(?:(x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8})|([0-7]{3})|([^]))/g, unescape);
}

function unescape(all: string, hex?: string, octal?: string, one = ''): string {
  const code = hex === undefined ? Number.parseInt(octal ?? '', 8) : Number.parseInt(hex.slice(1), 16);
  const found = code <= LAST_CODE_POINT ? String.fromCodePoint(code) : ESCAPES[one];
  if (found === undefined) throw new GoTemplateError(`${all} is not a valid escape in a string`);
  return found;
}
