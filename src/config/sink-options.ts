/** Options that any sink takes besides its own. */
import { z } from 'zod';
import type { HandlerConfig } from './config.ts';
import { duration, durationMs } from './duration.ts';
import { canonicalize } from './keys.ts';
import { didYouMean } from '../text/near.ts';
import { problemsOf, type Path, type Problem } from './problems.ts';

/** How many changes in a window are sent one by one, by default. */
const DEFAULT_OVER = 20;

export const sinkOptions = z.strictObject({
  digest: z
    .strictObject({
      window: duration.describe('Starts with the first change.'),
      over: z.int().min(0).optional().describe('Default: 20.'),
    })
    .optional()
    .describe(
      'Of each `window`, up to `over` changes (default 20) are sent one by one. The rest are sent together when the window ends, or one by one if the sink cannot put several changes in one message.',
    )
    .meta({ example: { window: '30s', over: 10 } }),
  fallback: z
    .string()
    .min(1)
    .optional()
    .describe(
      'The id (or name) of another sink of the same chain. It delivers in place of this one while the receiver of this one does not work, and does nothing else.',
    )
    .meta({ example: 'mail' }),
  fallbackAfter: duration
    .optional()
    .describe(
      'How long deliveries to a receiver that keeps failing have been paused before the fallback takes over. A change that is given up sooner is a dead letter. Default: `"2m"`.',
    )
    .meta({ example: '5m' }),
});

type SinkTable = z.output<typeof sinkOptions>;

/** Splits a table into the options that all sinks share and the handler's own. Keys may be in any case. */
export function splitTable(written: Readonly<Record<string, unknown>>): {
  readonly own: Readonly<Record<string, unknown>>;
  readonly common: Readonly<Record<string, unknown>>;
} {
  const names = Object.keys(sinkOptions.shape).map((name) => name.toLowerCase());
  const isCommon = ([key]: readonly [string, unknown]): boolean => names.includes(key.toLowerCase());
  const entries = Object.entries(written);
  return {
    own: Object.fromEntries(entries.filter((entry) => !isCommon(entry))),
    common: Object.fromEntries(entries.filter(isCommon)),
  };
}

/** Mistakes are added to `problems`. */
export function toSinkOptions(
  common: Readonly<Record<string, unknown>>,
  { type, name }: HandlerConfig['definition'],
  path: Path,
  problems: Problem[],
): Pick<HandlerConfig, 'digest' | 'fallback'> {
  if (type !== 'sink') {
    const message = `is an option of sinks, and ${name} is not a sink`;
    problems.push(...Object.keys(common).map((key) => ({ path: [...path, key], message })));
    return {};
  }
  const table = canonicalize(common, sinkOptions, path, problems);
  const checked = sinkOptions.safeParse(table);
  if (checked.success) return { ...digestOf(checked.data), ...fallbackOf(checked.data, path, problems) };
  problems.push(...problemsOf(checked.error, table, path, () => false));
  return {};
}

function digestOf({ digest }: SinkTable): Pick<HandlerConfig, 'digest'> {
  if (digest === undefined) return {};
  return { digest: { windowMs: durationMs(digest.window), over: digest.over ?? DEFAULT_OVER } };
}

/** With the id as written, which {@link resolveFallbacks} turns into a full one. */
function fallbackOf(
  { fallback: id, fallbackAfter }: SinkTable,
  path: Path,
  problems: Problem[],
): Pick<HandlerConfig, 'fallback'> {
  if (id !== undefined) return { fallback: { id, afterMs: durationMs(fallbackAfter ?? '2m') } };
  if (fallbackAfter !== undefined)
    problems.push({
      path: [...path, 'fallbackAfter'],
      message: 'has no effect without fallback',
    });
  return {};
}

/** Replaces the ids of fallbacks by full ones; a fallback that is not a sink of the chain, or leads in a circle, is a problem. */
export function resolveFallbacks(
  chain: string,
  handlers: readonly { readonly config: HandlerConfig; readonly path: Path }[],
  problems: Problem[],
): readonly HandlerConfig[] {
  const sinks = new Map(
    handlers.flatMap(({ config }) => (config.definition.type === 'sink' ? [[config.id, config] as const] : [])),
  );
  return handlers.map(({ config, path }) => {
    const { fallback } = config;
    if (fallback === undefined) return config;
    const id = `${chain}/${fallback.id}`;
    const refuse = (message: string): void => void problems.push({ path: [...path, 'fallback'], message });
    if (!sinks.has(id)) {
      const names = [...sinks.keys()].map((known) => known.slice(chain.length + 1)).toSorted();
      refuse(`there is no sink "${fallback.id}" in this chain${didYouMean(fallback.id, names)}`);
    } else if (isCyclic(config, sinks, chain)) {
      refuse('leads back to this sink: nothing would be delivered');
    }
    return { ...config, fallback: { ...fallback, id } };
  });
}

function isCyclic({ id, fallback }: HandlerConfig, sinks: ReadonlyMap<string, HandlerConfig>, chain: string): boolean {
  const seen = new Set<string>();
  for (let next = fallback; next !== undefined; next = sinks.get(`${chain}/${next.id}`)?.fallback) {
    const at = `${chain}/${next.id}`;
    if (at === id || seen.has(at)) return true;
    seen.add(at);
  }
  return false;
}
