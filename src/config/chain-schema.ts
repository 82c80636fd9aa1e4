/** What a chain has in a configuration file: what it watches, and what happens to each change. */
import { z } from 'zod';
import { isEventName, REPEATS } from '../event.ts';
import { age, duration, durationFrom } from './duration.ts';
import { namespaces } from './names.ts';
import { fieldSelector, labelSelector } from './selector.ts';

const resourceFields = z.strictObject({
  kind: z
    .string()
    .min(1)
    // Empty is refused above.
    .regex(
      /^[a-zA-Z0-9.-]*$/,
      'must be one kind, such as "deployment" or "certificates.cert-manager.io"; each kind needs a [[resource]] of its own, and a version goes into apiVersion',
    )
    .describe(
      'Kind, plural, singular or short name, in upper or lower case: `deployment`, `deploy`, `certificates.cert-manager.io`.',
    ),
  apiVersion: z
    .string()
    .regex(/^([a-z0-9.-]+\/)?[a-z0-9.-]+$/, 'must be a group and version such as "apps/v1" or "v1", or a group')
    .optional()
    .describe(
      '`apps/v1`, `v1`, or a group without version. Needed when several groups serve the name, or when the kind is installed later.',
    ),
  namespaces: namespaces
    .min(1, 'must name at least one namespace; leave it out for all namespaces')
    .optional()
    .describe(
      'Names, or patterns such as `team-*`. A pattern watches all namespaces and skips those that do not match. Default: all namespaces, or those of --namespace.',
    ),
  labelSelector: labelSelector
    .optional()
    .describe('Selects objects by label. Default: all, or those of --label-selector.'),
  fieldSelector: fieldSelector
    .optional()
    .describe('Selects objects by a field that the API server can select on. Default: all.'),
  repeats: z
    .enum(REPEATS)
    .optional()
    .describe(
      'For Kubernetes Events: which occurrences after the first are reported: none (`"first"`), the 2nd, 4th, 8th, ... (`"powers"`) or every one (`"every"`). Default: `"powers"`.',
    ),
  maxAge: durationFrom('1s', age)
    .optional()
    .describe(
      'For Kubernetes Events: one that was older than this when it was seen is not reported, unless it happened while nothing was watching. Default: any age.',
    ),
});

const resource = resourceFields.superRefine(({ kind, apiVersion, ...given }, context) => {
  if (isEventName(kind, apiVersion)) return;
  for (const key of ['repeats', 'maxAge'] as const) {
    const message = 'applies to Kubernetes Events only: leave it out, or set kind = "event"';
    if (given[key] !== undefined) context.addIssue({ code: 'custom', path: [key], message });
  }
});

/** Everything but `name` and `id` is an option of the named handler. */
const handler = z.looseObject({
  name: z
    .string()
    .min(1)
    .describe('A built-in handler, or the path of your own, relative to this file: `./handlers/page-me.ts`.'),
  id: z
    .string()
    .regex(/^[\w.-]+$/, 'must consist of letters, digits, "_", "." and "-"')
    .optional()
    .describe(
      'Distinguishes handlers of the same name in a chain. It is part of what is stored, so do not change it. Default: the name; for further handlers of that name `slack-2`, `slack-3`, in the order of the file, so set it before you reorder them.',
    ),
});

const retry = z.strictObject({
  retries: z
    .int()
    .min(0)
    .max(100)
    .optional()
    .describe('How many times the chain runs again after the first run fails. Default: 3.'),
  minTimeout: duration
    .optional()
    .describe('The first wait, multiplied by a random number from 1 to 2. Default: `"1s"`.'),
  factor: z
    .number()
    .min(1)
    .max(100)
    .optional()
    .describe('Each later wait is this many times longer, up to an hour. Default: 5, which gives 1 s, 5 s, 25 s.'),
  deferFor: duration
    .optional()
    .describe(
      'How long a change may wait, without using up a retry, for a receiver that cannot be reached or asks to wait. Default: `"15m"`.',
    ),
});

const workFields = {
  handler: z
    .array(handler)
    .min(1)
    .optional()
    .describe(
      'What happens to each change, in this order. Every other key of the table is an option of the handler that `name` names.',
    ),
  quiet: z
    .array(z.looseObject({}))
    .optional()
    .describe(
      'When changes are not reported, or are held for later. Each has the options of the handler [`quiet`](handlers/quiet.md).',
    ),
  concurrency: z
    .int()
    .min(1)
    .max(1_000)
    .optional()
    .describe(
      'How many changes of different objects a chain works on at once. A crash can send this many twice. Default: 8.',
    ),
  coalesce: z
    .boolean()
    .optional()
    .describe(
      'Changes of one object that have waited for ten seconds or more, none of them attempted yet, are merged into one; those that cancel out are not reported. Not in a chain with a handler that keeps state, such as `podAlerts`. Default: true.',
    ),
  retry: retry.optional().describe('What happens when a handler fails.'),
  deadLetters: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Name of a chain that gets each dead letter, with the reason (`change.notes.deadLetter`). It needs no `[[chain.resource]]`. Dead letters of that chain itself are not passed on. Default: nobody is told.',
    ),
};

const chainName = z
  .string()
  .regex(/^[^/\s][^/]*$/, 'must be a name without "/"')
  .describe('Part of what is stored, so do not change it.');

const BRANCHES =
  'Each gets what passed the handlers, side by side. `retry`, `concurrency`, `coalesce` and `deadLetters` are inherited unless given.';

/** What a chain and its branches have in common. */
export interface BranchTable extends z.output<z.ZodObject<typeof workFields>> {
  otherwise?: boolean | undefined;
  branch?: BranchTable[] | undefined;
}

const branch: z.ZodType<BranchTable> = z.strictObject({
  name: chainName,
  otherwise: z
    .boolean()
    .optional()
    .describe(
      'Whether this branch gets only what no branch beside it takes. A branch takes what passes the `match` handlers with which it begins; the others must begin with one. Default: false.',
    ),
  ...workFields,
  get branch() {
    return z.array(branch).min(1).optional().describe(BRANCHES);
  },
});

export const chainFields = {
  resource: z.array(resource).min(1).optional().describe('What to watch.'),
  ...workFields,
  branch: z.array(branch).min(1).optional().describe(BRANCHES),
};

export const chain = z.strictObject({ name: chainName, ...chainFields });

export type ResourceTable = z.output<typeof resource>;
