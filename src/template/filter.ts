/** What a filter is, for the files that define one each. */

/** A filter: never throws for what the cluster may hold; answers undefined, which renders as nothing, where it cannot tell. */
export interface FilterDefinition {
  readonly name: string;
  /** Its arguments as they are written: `"pattern", "replacement"`. */
  readonly args?: string;
  /** One or two sentences, as Markdown. */
  readonly summary: string;
  readonly examples: readonly FilterExample[];
  /** Refuses arguments that are written out in a template. @throws an Error that says what they must be */
  readonly check?: (args: readonly unknown[]) => void;
  readonly apply: (value: unknown, args: readonly unknown[], place: FilterPlace) => unknown;
}

export interface FilterExample {
  /** Rendered with the sample scope of the documentation. */
  readonly template: string;
  readonly result: string;
}

/** Where a filter stands. */
export interface FilterPlace {
  /** The same object at each render of this place in this template: for what is compiled once. */
  readonly token: object;
  /** Milliseconds since the epoch at which the change was seen: a retry renders the same. */
  readonly observedAt: number | undefined;
}
