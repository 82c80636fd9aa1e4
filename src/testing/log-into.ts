/** A log for tests to read. */
import { Writable } from 'node:stream';
import { createLogger, transports, type Logger } from 'winston';

export interface LoggedLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** Passes on every line immediately, whatever its level. */
export function logInto(onLine: (line: LoggedLine) => void): Logger {
  const stream = new Writable({
    write(line: Buffer, _encoding, done) {
      onLine(JSON.parse(line.toString()) as LoggedLine);
      done();
    },
  });
  return createLogger({ level: 'debug', transports: [new transports.Stream({ stream })] });
}
