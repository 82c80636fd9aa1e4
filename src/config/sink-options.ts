/** What the table of any sink may say beside the sink's own options. */
import { z } from 'zod';
import type { HandlerConfig } from './config.ts';
import { duration, durationMs } from './duration.ts';
import { canonical } from './keys.ts';
import { problemsOf, type Path, type Problem } from './problems.ts';

/** Changes of a window that are told one by one, unless said otherwise. */
const DEFAULT_OVER = 20;

export const sinkOptions = z.strictObject({
  digest: z
    .strictObject({
      window: duration.describe('From the first change on.'),
      over: z.int().min(0).optional().describe('Default: 20.'),
    })
    .optional()
    .describe(
      'Of each `window`, up to `over` changes (default 20) are told one by one, and the rest together when it ends: where the sink can name several in one message, else one by one.',
    )
    .meta({ example: { window: '30s', over: 10 } }),
});

type SinkTable = z.output<typeof sinkOptions>;

/** The written table, with what all sinks share apart from what is the handler's own. Keys are taken in any case. */
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

/** What is wrong with it goes to the problems. */
export function toSinkOptions(
  common: Readonly<Record<string, unknown>>,
  { type, name }: HandlerConfig['definition'],
  path: Path,
  problems: Problem[],
): Pick<HandlerConfig, 'digest'> {
  if (type !== 'sink') {
    const message = `is an option of sinks, which tell somebody: ${name} is none`;
    problems.push(...Object.keys(common).map((key) => ({ path: [...path, key], message })));
    return {};
  }
  const table = canonical(common, sinkOptions, path, problems);
  const checked = sinkOptions.safeParse(table);
  if (checked.success) return digestOf(checked.data);
  problems.push(...problemsOf(checked.error, table, path, () => false));
  return {};
}

function digestOf({ digest }: SinkTable): Pick<HandlerConfig, 'digest'> {
  if (digest === undefined) return {};
  return { digest: { windowMs: durationMs(digest.window), over: digest.over ?? DEFAULT_OVER } };
}
