/** Integers beyond 2^53, which a manifest holds as raw JSON, in the hands of filters and comparisons. */
import { isRawNumber, type RawNumber } from '../../handlers/diff/json.ts';

/** Raw JSON can be made neither a text nor a number: liquidjs fails with it. */
class LongNumber {
  readonly #raw: RawNumber;

  constructor(raw: RawNumber) {
    this.#raw = raw;
  }

  toString(): string {
    return this.#raw.rawJSON;
  }

  valueOf(): number {
    return Number(this.#raw.rawJSON);
  }

  toJSON(): RawNumber {
    return this.#raw;
  }
}

/** The value, or where it is a long integer, or a list with one, what is a text with all digits, else the number nearest to it. */
export function withLongNumbers(value: unknown): unknown {
  if (Array.isArray(value)) return value.some(isRawNumber) ? value.map(withLongNumbers) : value;
  return isRawNumber(value) ? new LongNumber(value) : value;
}
