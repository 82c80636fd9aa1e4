/** Filters for Kubernetes that Liquid lacks: docs/templates.md is generated from them, and a test runs their examples. */
import { toValue, type Context, type Liquid } from 'liquidjs';
import type { FilterDefinition } from './filter.ts';
import { bytes, quantity } from './filters/quantity.ts';
import { ago, duration, timestamp } from './filters/time.ts';
import { GO_FILTERS } from './go/index.ts';
import { image } from './filters/image.ts';
import { regexFind, regexMatch, regexReplace } from './filters/regex.ts';

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

/** {@link FILTERS}, and those that imported templates use. */
export const ALL_FILTERS: readonly FilterDefinition[] = [...FILTERS, ...GO_FILTERS];

/** Adds {@link ALL_FILTERS} to an engine. */
export function registerFilters(liquid: Liquid): void {
  for (const { name, apply } of ALL_FILTERS) {
    liquid.registerFilter(name, function (value: unknown, ...args: unknown[]): unknown {
      const { context, token } = this;
      if (typeof value === 'string') context.memoryLimit.use(value.length);
      // The literal `nil` arrives as an object of liquidjs.
      const given = args.map((arg) => toValue(arg) as unknown);
      const result = apply(toValue(value), given, { token, observedAt: observedAt(context) });
      if (typeof result === 'string') context.memoryLimit.use(result.length);
      return result;
    });
  }
}

function observedAt({ environments }: Context): number | undefined {
  const { change } = environments as { readonly change?: { readonly observedAt?: string } };
  return change?.observedAt === undefined ? undefined : Date.parse(change.observedAt);
}
