/** The service's own log: a constant message plus fields, to stderr. The level says who must act. */
import { inspect } from 'node:util';
import { createLogger as createWinstonLogger, format, transports, type Logger } from 'winston';
import { printable } from './text/printable.ts';

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
