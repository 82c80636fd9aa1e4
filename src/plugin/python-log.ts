/** Messages with a level of Python's logging, in the service's own log. */
import type { Logger } from '../log.ts';

export type PythonLevel = 'NOTSET' | 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL';

const LEVELS: Readonly<Record<string, PythonLevel>> = {
  NOTSET: 'NOTSET',
  DEBUG: 'DEBUG',
  INFO: 'INFO',
  WARN: 'WARNING',
  WARNING: 'WARNING',
  ERROR: 'ERROR',
  CRITICAL: 'CRITICAL',
  FATAL: 'CRITICAL',
};
const WINSTON = {
  NOTSET: 'debug',
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
  CRITICAL: 'error',
} as const;

/** In any case; undefined: there is none of that name. */
export function pythonLevel(written: string): PythonLevel | undefined {
  const name = written.trim().toUpperCase();
  return Object.hasOwn(LEVELS, name) ? LEVELS[name] : undefined;
}

/** Where the log has the format `python`, the line is the message alone, under this name. */
export function sayAt(log: Logger, level: PythonLevel, message: string): void {
  log.log(WINSTON[level], message, { says: level });
}
