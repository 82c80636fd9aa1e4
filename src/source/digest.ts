/** Digests of what the chains read of an object, to tell noise without keeping or comparing bodies. */
import { hash } from 'node:crypto';

/** 52 bits as hexadecimal digits: what a double holds exactly. */
const DIGITS = 13;
const KEY_BYTES = 32;

/**
 * Keyed, so that what is in the store says nothing about a secret that the object holds: the digest is taken before
 * redaction, which costs more than most events are worth. SHA-256 and not a quicker hash, because whoever can write an
 * object must not be able to find a second one with the same digest: that change would go unreported.
 */
export class Digester {
  /** The key, then the text of the object at hand. One for all scopes: it grows to the largest object. */
  #text = Buffer.alloc(64 * 1024);

  /** @param key any length; its first 32 bytes count */
  constructor(key: Uint8Array) {
    this.#text.set(key.subarray(0, KEY_BYTES));
  }

  /**
   * A non-negative safe integer for the bytes from `start` to `end` without the `cuts`: from and to of each, in ascending
   * order. 3 to 4 µs for 5 KB.
   */
  digest(bytes: Buffer, start: number, end: number, cuts: readonly number[]): number {
    this.#reserve(KEY_BYTES + end - start);
    let size = KEY_BYTES;
    let from = start;
    for (let i = 0; i < cuts.length; i += 2) {
      size += bytes.copy(this.#text, size, from, cuts[i]);
      from = cuts[i + 1] ?? end;
    }
    size += bytes.copy(this.#text, size, from, end);
    return Number.parseInt(hash('sha256', this.#text.subarray(0, size), 'hex').slice(0, DIGITS), 16);
  }

  #reserve(size: number): void {
    if (size <= this.#text.length) return;
    const larger = Buffer.alloc(size * 2);
    this.#text.copy(larger, 0, 0, KEY_BYTES);
    this.#text = larger;
  }
}

/** What to leave out of the members of one object so that well-formed JSON remains: each cut member with one comma. */
export class MemberCuts {
  readonly #cuts: number[];
  /** Where a run of cut members began that has no member before it; -1: none. */
  #leading = -1;
  /** Where the last member that stays ended; -1: none yet. */
  #kept = -1;
  #last = -1;

  /** @param cuts from and to of each, in ascending order; added to */
  constructor(cuts: number[]) {
    this.#cuts = cuts;
  }

  /** Before the inner cuts of the member that stays are added. */
  keep(key: number): void {
    if (this.#leading >= 0) this.#cuts.push(this.#leading, key);
    this.#leading = -1;
  }

  kept(end: number): void {
    this.#kept = end;
  }

  cut(key: number, end: number): void {
    if (this.#kept >= 0) this.#cuts.push(this.#kept, end);
    else if (this.#leading < 0) this.#leading = key;
    if (this.#kept >= 0) this.#kept = end;
    this.#last = end;
  }

  done(): void {
    if (this.#leading >= 0) this.#cuts.push(this.#leading, this.#last);
  }
}
