/**
 * A note that outlives the process, and need not outlive the machine: written over and over into the same page of the kernel's
 * cache, without an fsync, it costs microseconds. Who reads it must bear with an older one, or none.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { codeOf } from '../errors.ts';

export class Jotter {
  readonly #file: string;
  readonly #fd: number;

  /** Makes the file where there is none. */
  constructor(file: string) {
    this.#file = file;
    this.#fd = openSync(file, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o600);
  }

  /** What was written last; undefined: nothing that can be read. */
  read(): unknown {
    const [line = ''] = readFileSync(this.#file, 'utf8').split('\n', 1);
    try {
      return JSON.parse(line);
    } catch {
      return undefined;
    }
  }

  /** What was longer before is left behind the end of the line. A volume without room keeps the older note. */
  write(value: unknown): void {
    try {
      writeSync(this.#fd, `${JSON.stringify(value)}\n`, 0);
    } catch (thrown) {
      if (!['ENOSPC', 'EDQUOT'].includes(codeOf(thrown) ?? '')) throw thrown;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
