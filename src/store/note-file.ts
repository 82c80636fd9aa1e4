/**
 * A note that survives the process but not necessarily the machine: overwriting the same page of the kernel's cache, without an
 * fsync, costs microseconds. Readers must cope with an older note, or none.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';

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

  /** The rest of a longer previous note stays behind the line feed. If the disk refuses, the previous note is kept. */
  write(value: unknown): void {
    try {
      writeSync(this.#fd, `${JSON.stringify(value)}\n`, 0);
    } catch {
      // What the note is about has been handed out already, and nothing would hand it out again.
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
