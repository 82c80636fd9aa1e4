/** The definition of a filter. */

/** A filter: never throws for a value that the cluster may hold; returns undefined, which renders as nothing, if it has none. */
export interface FilterDefinition {
  readonly name: string;
  /** Its arguments as written in a template: `"pattern", "replacement"`. */
  readonly args?: string;
  /** One or two sentences, as Markdown. */
  readonly summary: string;
  readonly examples: readonly FilterExample[];
  /** Checks the literal arguments in a template. @throws an Error that says what they must be */
  readonly check?: (args: readonly unknown[]) => void;
  readonly apply: (value: unknown, args: readonly unknown[], place: FilterPlace) => unknown;
}

export interface FilterExample {
  /** Rendered with the sample scope of the documentation. */
  readonly template: string;
  readonly result: string;
}

/** One use of a filter in a template. */
export interface FilterPlace {
  /** The same object at each render of this place in this template: a key for what is compiled once. */
  readonly token: object;
  /** When the change was seen, milliseconds since the epoch: a retry renders the same. */
  readonly observedAt: number | undefined;
}
