/** Writes messages with Python's log levels to the service's own log. */
import { own } from '../json.ts';
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
const WINSTON_LEVELS = {
  NOTSET: 'debug',
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
  CRITICAL: 'error',
} as const;

/** In any case; undefined if there is no such level. */
export function pythonLevel(text: string): PythonLevel | undefined {
  const name = text.trim().toUpperCase();
  return own(LEVELS, name);
}

/** If the log's format is `python`, the line is the message alone, with this level. */
export function logAt(log: Logger, level: PythonLevel, message: string): void {
  log.log(WINSTON_LEVELS[level], message, { says: level });
}
