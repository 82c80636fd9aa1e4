/** The filters that Liquid lacks and people need for Kubernetes: docs/templates.md is made from them, and a test runs their examples. */
import type { Context, Liquid } from 'liquidjs';
import { bytes, quantity } from './filters/quantity.ts';
import { ago, duration, timestamp } from './filters/time.ts';
import { GO_FILTERS } from './go/index.ts';
import { image } from './filters/image.ts';
import { regexFind, regexMatch, regexReplace } from './filters/regex.ts';

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

/** In the order of the documentation. */
export const FILTERS: readonly FilterDefinition[] = [
  duration,
  ago,
  timestamp,
  quantity,
  bytes,
  image,
  regexMatch,
  regexFind,
  regexReplace,
];

/** Those, and the ones that imported templates use. */
export const ALL_FILTERS: readonly FilterDefinition[] = [...FILTERS, ...GO_FILTERS];

/** Adds {@link ALL_FILTERS} to an engine. */
export function registerFilters(liquid: Liquid): void {
  for (const { name, apply } of ALL_FILTERS) {
    liquid.registerFilter(name, function (value: unknown, ...args: unknown[]): unknown {
      const { context, token } = this;
      if (typeof value === 'string') context.memoryLimit.use(value.length);
      const result = apply(value, args, { token, observedAt: observedAt(context) });
      if (typeof result === 'string') context.memoryLimit.use(result.length);
      return result;
    });
  }
}

function observedAt({ environments }: Context): number | undefined {
  const { change } = environments as { readonly change?: { readonly observedAt?: string } };
  return change?.observedAt === undefined ? undefined : Date.parse(change.observedAt);
}
