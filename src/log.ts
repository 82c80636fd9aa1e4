/** The service's own log: a constant message plus fields, to stderr. The level says who must act. */
import { inspect } from 'node:util';
import { createLogger as createWinstonLogger, format, transports, type Logger } from 'winston';

export type { Logger };

/** kwatchman's levels. `panic` and `fatal` show only errors (in the format `python` only CRITICAL), `trace` is debug. */
export const LOG_LEVELS = ['panic', 'fatal', 'error', 'warning', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `json`: an object per line. `text`: for people. `python`: a usual Python log format, for users of the Event Controller. */
export const LOG_FORMATS = ['json', 'text', 'python'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

const WINSTON_LEVEL: Readonly<Record<LogLevel, string>> = {
  panic: 'error',
  fatal: 'error',
  error: 'error',
  warning: 'warn',
  warn: 'warn',
  info: 'info',
  debug: 'debug',
  trace: 'debug',
};

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly color: boolean;
  readonly stream: NodeJS.WritableStream;
}

const ESCAPED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Escapes control, bidi and line-separator characters: a name in a cluster must not forge log lines or colour a terminal. And halves
 * of surrogate pairs, which strict receivers refuse: a note of somebody's handler may be cut in the middle of an emoji.
 */
export function printable(text: string): string {
  const whole = text.isWellFormed() ? text : text.replace(/\p{Surrogate}/gu, escapeOf);
  // oxlint-disable-next-line no-control-regex -- control characters are the point
  return whole.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (c) => {
    return ESCAPED[c] ?? escapeOf(c);
  });
}

/** The same for multi-line text: line feeds and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(/[^\n\t]+/g, printable);
}

/** Without what colours a terminal, as loggers write it. */
export function withoutColors(text: string): string {
  // oxlint-disable-next-line no-control-regex -- the escape is the point
  return text.replace(/\u001b\[[\d;]{0,20}m/g, '');
}

/** At most `max` UTF-16 units, never ending in half a surrogate pair: as a JSON escape, strict parsers reject it. */
export function beginningOf(text: string, max: number): string {
  return text.slice(0, max).replace(/[\uD800-\uDBFF]$/, '');
}

/** {@link beginningOf}, followed by `…` if something was cut. */
export function shortened(text: string, max: number): string {
  return text.length > max ? `${beginningOf(text, max)}…` : text;
}

/** A UTF-16 unit as a JSON escape: `\u202e`. */
export function escapeOf(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const COLORS: Readonly<Record<string, string>> = {
  error: '\x1b[31m',
  warn: '\x1b[33m',
  info: '\x1b[36m',
  debug: '\x1b[90m',
};

/** The property in which winston's formats leave the line for the transports. */
const WRITTEN = Symbol.for('message');

export function createLogger(options: LogOptions): Logger {
  const line = format.printf((info) => {
    const { level, message, timestamp, ...fields } = info;
    const name = level.toUpperCase().padEnd(5);
    const tag = options.color ? `${COLORS[level] ?? ''}${name}\x1b[0m` : name;
    return `${String(timestamp)} ${tag} ${printable(String(message))}${formatFields(fields)}`;
  });
  // Characters that JSON does not escape can still affect a terminal; escaped, the value is the same.
  const json = format.combine(
    // The message of an error is no field of its own, and the replacer would leave nothing else of it.
    format((info) => (info instanceof Error ? Object.assign({}, info, { message: info.message }) : info))(),
    format.json({ replacer: loggable }),
    format.printf((info) => printable(String(info[WRITTEN]))),
  );
  return createWinstonLogger({
    level: WINSTON_LEVEL[options.level],
    format:
      options.format === 'python'
        ? pythonFormat(options.level)
        : format.combine(timestamped(), options.format === 'json' ? json : line),
    transports: [new transports.Stream({ stream: options.stream })],
  });
}

/** Unlike winston's own format, it does not take over a field `timestamp` of a handler, which may come from the cluster. */
const timestamped = format((info) => Object.assign(info, { timestamp: new Date().toISOString() }));

const PYTHON_LEVEL: Readonly<Record<string, string>> = {
  error: 'ERROR',
  warn: 'WARNING',
  info: 'INFO',
  debug: 'DEBUG',
};

/** `2026-11-20 23:42:03,123 [INFO] message`; a plug-in's own lines (see python-log.ts) come without fields. */
const pythonLine = format.printf(({ level, message, says, ...fields }) => {
  const now = new Date();
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString();
  const time = local.slice(0, 23).replace('T', ' ').replace('.', ',');
  const rest = says === undefined ? formatFields(fields) : '';
  return `${time} [${typeof says === 'string' ? says : PYTHON_LEVEL[level]}] ${printable(String(message))}${rest}`;
});

/** Nothing that we log ourselves is CRITICAL; only plug-ins use that level. */
function pythonFormat(level: LogLevel) {
  const isAllShown = level !== 'fatal' && level !== 'panic';
  const critical = format((info) => (isAllShown || info['says'] === 'CRITICAL' ? info : false));
  return format.combine(critical(), pythonLine);
}

/** ` name=value name=value`. */
function formatFields(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${printable(name)}=${formatValue(value)}`)
    .join('');
}

function formatValue(field: unknown): string {
  const value = loggable('', field);
  const text = typeof value === 'string' ? value : jsonOf(value);
  return /^[\w./:@+-]+$/.test(text) ? text : printable(JSON.stringify(text));
}

/** JSON would show an error as `{}`, and refuses a BigInt. */
function loggable(_name: string, value: unknown): unknown {
  if (value instanceof Error) return value.message;
  return typeof value === 'bigint' ? String(value) : value;
}

/** What contains itself, such as a request of a user's own handler, is shown as Node does. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value, loggable) ?? String(value);
  } catch {
    return inspect(value, { breakLength: Infinity });
  }
}
