/** The handler's options in config.toml. */
import { z } from 'zod';
import { toError } from '../../src/errors.ts';
import { parseFieldPath, type FieldPath } from '../../src/field-path.ts';
import { mergeKeyOf } from './lists.ts';

/** The path of a field, as `ignore` and `match` take it. */
export const fieldPath = z.string().superRefine((path, context) => {
  const problem = pathProblem(path);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

/** What is wrong with the path of a field, if anything. */
export function pathProblem(path: string): string | undefined {
  try {
    return indexProblem(parseFieldPath(path));
  } catch (thrown) {
    return toError(thrown).message;
  }
}

/** Lists that always have a merge key, and an item to show as an example. Of others, an index may be the label. */
const KEYED: ReadonlyMap<string, string> = new Map([
  ['containers', 'web'],
  ['initContainers', 'migrate'],
  ['ephemeralContainers', 'debug'],
  ['conditions', 'Ready'],
]);

/** An index from JSONPath would silently match nothing. */
function indexProblem(steps: FieldPath): string | undefined {
  for (const [n, list] of steps.entries()) {
    const example = KEYED.get(list);
    const index = steps[n + 1] ?? '';
    if (example !== undefined && /^\d+$/.test(index))
      return `${list}[${index}] matches nothing, since the items of ${list} go by their ${mergeKeyOf(list)}: write ${list}[${example}] for one, ${list}[*] for all`;
  }
  return undefined;
}

const shown = (what: string) =>
  z.boolean().default(false).describe(`Show changes of ${what} too.`).meta({ example: true });

const ignore = z
  .array(fieldPath)
  .default([])
  .describe(
    'Field paths to ignore, with everything below them. `*` matches any characters within one step, `**` any number of steps.',
  )
  .meta({
    example: ['spec.replicas', 'metadata.annotations["example.com/*"]', 'spec.template.spec.containers[istio-proxy]'],
  });

const ONLY =
  'Field paths, as in `ignore`: only these count. A field that is quiet by default counts if it is named here';

export const options = z.strictObject({
  ignore,
  only: z
    .array(fieldPath)
    .default([])
    .describe(`${ONLY}. Empty: all fields.`)
    .meta({ example: ['spec.**.image', 'status.phase'] }),
  kinds: z
    .record(z.string(), z.strictObject({ ignore, only: z.array(fieldPath).optional().describe(`${ONLY}.`) }))
    .default({})
    .describe(
      'The same for one kind, by kind, plural or short name, in upper or lower case, with `.group` if needed: its `ignore` adds to the general one, its `only` replaces the general one.',
    )
    .meta({ example: { Deployment: { ignore: ['spec.replicas'] } } }),
  optOutAnnotation: z
    .string()
    .default('watchchain/ignore')
    .describe(
      'The annotation by which an object opts out: `true` silences its updates, field paths separated by commas are ignored. It applies from the change after the one that sets it; creation and deletion always pass. Empty: objects may not opt out.',
    )
    .meta({ example: 'example.com/quiet' }),
  status: shown('`status`'),
  generation: shown('`metadata.generation`'),
  resourceVersion: shown('`metadata.resourceVersion` (it changes with every write; on its own it is not a change)'),
  lastApplied: shown('the annotation `kubectl.kubernetes.io/last-applied-configuration`'),
  revisions: shown("controllers' revision annotations, such as `deployment.kubernetes.io/revision`,"),
  emptyMetadata: z
    .boolean()
    .default(false)
    .describe('Show the difference between absent labels, annotations, finalizers or owners and an empty map or list.')
    .meta({ example: true }),
  nulls: z
    .boolean()
    .default(false)
    .describe('Show the difference between a null field and an absent one.')
    .meta({ example: true }),
});

export type Options = z.output<typeof options>;
