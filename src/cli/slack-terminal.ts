/** Renders a Slack message in a terminal, as Slack would show it. */
import { printable } from '../text/printable.ts';

/** The parts of a message's attachment that are shown. */
export interface Attachment {
  readonly color: string;
  readonly author_name?: string;
  readonly title: string;
  readonly text: string;
  readonly footer?: string;
  /** Seconds since the epoch. */
  readonly ts?: number;
}

export interface TerminalStyle {
  readonly color: boolean;
  /** Columns of the terminal. */
  readonly columns: number;
}

/** Wider text is hard to read, however wide the terminal is. */
const MAX_COLUMNS = 100;
const MIN_COLUMNS = 30;

const RESET = '\x1b[0m';
const STYLES = {
  bold: '\x1b[1m',
  dim: '\x1b[2m',
  red: '\x1b[31m',
  green: '\x1b[32m',
  cyan: '\x1b[36m',
} as const;

export type Style = keyof typeof STYLES;

/** The text in a style, if colours are used. */
export function styled(text: string, style: Style | undefined, { color }: Pick<TerminalStyle, 'color'>): string {
  return color && style !== undefined && text !== '' ? `${STYLES[style]}${text}${RESET}` : text;
}

/** The lines of a message: a coloured bar, author, title, the text, boxed if it is a code block, footer and time. */
export function renderMessage(attachment: Attachment, looks: TerminalStyle): string[] {
  const width = Math.max(MIN_COLUMNS, Math.min(looks.columns, MAX_COLUMNS)) - 4;
  const bar = looks.color ? `${ansi256(attachment.color)}┃${RESET}` : '┃';
  const title = lines(attachment.title).map((line, n) => styled(line, n === 0 ? 'dim' : 'bold', looks));
  return [...title, ...renderText(attachment.text, width, looks), ...footer(attachment, looks)].map((line) =>
    `  ${bar} ${line}`.trimEnd(),
  );
}

function footer({ author_name: author, footer: cluster, ts }: Attachment, looks: TerminalStyle): string[] {
  const time = ts === undefined ? undefined : new Date(ts * 1_000).toLocaleTimeString('en-GB');
  const parts = [author, cluster, time].filter((part) => part !== undefined);
  return parts.length === 0 ? [] : [styled(printable(parts.join('  ·  ')), 'dim', looks)];
}

function renderText(text: string, width: number, looks: TerminalStyle): string[] {
  if (text === '') return [];
  const code = /^```\n?([\s\S]*?)\n?```$/.exec(text)?.[1];
  if (code === undefined) return lines(text).flatMap((line) => wrap(line, width));
  const inner = width - 4;
  const edge = (left: string, right: string): string => styled(`${left}${'─'.repeat(inner + 2)}${right}`, 'dim', looks);
  const side = styled('│', 'dim', looks);
  const body = lines(code).flatMap((line, n) =>
    wrap(line, inner).map((part) => `${side} ${styled(part, lineStyle(line, n), looks)}${pad(part, inner)} ${side}`),
  );
  return [edge('╭', '╮'), ...body, edge('╰', '╯')];
}

/** Styles the headline, which is the first line, and the removed and added lines of a unified diff. */
function lineStyle(line: string, n: number): Style | undefined {
  if (n === 0) return 'bold';
  if (line.startsWith('@@') || line.startsWith('---') || line.startsWith('+++')) return 'cyan';
  if (line.startsWith('+')) return 'green';
  return line.startsWith('-') ? 'red' : undefined;
}

/** Undoes Slack's three escapes, and makes control characters visible. */
function lines(text: string): string[] {
  const plain = text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  return plain.split('\n').map((line) => printable(line));
}

/** Breaks at a space if there is one in the second half; continuation lines are indented. */
function wrap(line: string, width: number): string[] {
  const parts: string[] = [];
  let rest = Array.from(line);
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    const cut = space > width / 2 ? space : width;
    parts.push(rest.slice(0, cut).join(''));
    rest = [' ', ' ', ...rest.slice(space === cut ? cut + 1 : cut)];
  }
  return [...parts, rest.join('')];
}

const pad = (text: string, width: number): string => ' '.repeat(Math.max(0, width - Array.from(text).length));

/** `#F39C12` as the nearest of the 6 x 6 x 6 colours that every terminal has. */
function ansi256(hex: string): string {
  const parts = /^#(..)(..)(..)$/.exec(hex)?.slice(1) ?? ['80', '80', '80'];
  const [r = 0, g = 0, b = 0] = parts.map((part) => Math.round((Number.parseInt(part, 16) / 255) * 5));
  return `\x1b[38;5;${16 + 36 * r + 6 * g + b}m`;
}
