/** The service's own log: a constant message plus fields, to stderr. The level says who must act. */
import { createLogger as createWinstonLogger, format, transports, type Logger } from 'winston';

export type { Logger };

/** The levels of `--log-level`, as kwatchman's: `panic` and `fatal` show errors only (in the format `python` only what is CRITICAL), `trace` is debug. */
export const LOG_LEVELS = ['panic', 'fatal', 'error', 'warning', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `json`: an object per line. `text`: for people. `python`: as the logging of Python programs is often set, for those who read the Event Controller's. */
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

/** Control, bidi and line-separator characters made visible, so that a name in a cluster cannot forge a log line or colour a terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are the point
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (c) => {
    return ESCAPED[c] ?? escapeOf(c);
  });
}

/** The same of a text of several lines: line feeds and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(/[^\n\t]+/g, printable);
}

/** At most `max` UTF-16 units, without half of a character: in JSON it would be an escape that strict readers refuse. */
export function beginningOf(text: string, max: number): string {
  return text.slice(0, max).replace(/[\uD800-\uDBFF]$/, '');
}

/** {@link beginningOf} with `…` behind it where something is missing. */
export function shortened(text: string, max: number): string {
  return text.length > max ? `${beginningOf(text, max)}…` : text;
}

/** `\u202e` of a UTF-16 unit, as JSON writes it. */
export function escapeOf(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const COLORS: Readonly<Record<string, string>> = {
  error: '\x1b[31m',
  warn: '\x1b[33m',
  info: '\x1b[36m',
  debug: '\x1b[90m',
};

/** Where winston's formats leave the line for its transports. */
const WRITTEN = Symbol.for('message');

export function createLogger(options: LogOptions): Logger {
  const line = format.printf((info) => {
    const { level, message, timestamp, ...fields } = info;
    const name = level.toUpperCase().padEnd(5);
    const tag = options.color ? `${COLORS[level] ?? ''}${name}\x1b[0m` : name;
    return `${String(timestamp)} ${tag} ${printable(String(message))}${listed(fields)}`;
  });
  // What JSON leaves as it is may still colour or turn a terminal; as an escape it is the same value.
  const json = format.combine(
    format.json(),
    format.printf((info) => printable(String(info[WRITTEN]))),
  );
  return createWinstonLogger({
    level: WINSTON_LEVEL[options.level],
    format:
      options.format === 'python'
        ? pythonFormat(options.level)
        : format.combine(format.timestamp(), options.format === 'json' ? json : line),
    transports: [new transports.Stream({ stream: options.stream })],
  });
}

const PYTHON_LEVEL: Readonly<Record<string, string>> = {
  error: 'ERROR',
  warn: 'WARNING',
  info: 'INFO',
  debug: 'DEBUG',
};

/** `2026-11-20 23:42:03,123 [INFO] message`; what a plug-in says (see python-log.ts) stands without fields. */
const pythonLine = format.printf(({ level, message, says, ...fields }) => {
  const now = new Date();
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString();
  const time = local.slice(0, 23).replace('T', ' ').replace('.', ',');
  const rest = says === undefined ? listed(fields) : '';
  return `${time} [${typeof says === 'string' ? says : PYTHON_LEVEL[level]}] ${printable(String(message))}${rest}`;
});

/** Of what we log ourselves nothing is CRITICAL: that is left to plug-ins. */
function pythonFormat(level: LogLevel) {
  const isAllShown = level !== 'fatal' && level !== 'panic';
  const critical = format((info) => (isAllShown || info['says'] === 'CRITICAL' ? info : false));
  return format.combine(critical(), pythonLine);
}

/** ` name=value name=value`. */
function listed(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${field(value)}`)
    .join('');
}

function field(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return /^[\w./:@+-]+$/.test(text) ? text : JSON.stringify(printable(text));
}
