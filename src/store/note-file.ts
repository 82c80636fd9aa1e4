/**
 * A note that survives the process but not necessarily the machine: overwriting the same page of the kernel's cache, without an
 * fsync, costs microseconds. Readers must cope with an older note, or none.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { codeOf } from '../errors.ts';

export class NoteFile {
  readonly #file: string;
  readonly #fd: number;

  /** Creates the file if there is none. */
  constructor(file: string) {
    this.#file = file;
    this.#fd = openSync(file, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o600);
  }

  /** The last value written; undefined if there is none, or it cannot be read. */
  read(): unknown {
    const [line = ''] = readFileSync(this.#file, 'utf8').split('\n', 1);
    try {
      return JSON.parse(line);
    } catch {
      return undefined;
    }
  }

  /** The rest of a longer previous note stays behind the line feed. On a full volume the previous note is kept. */
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
