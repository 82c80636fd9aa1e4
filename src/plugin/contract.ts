/**
 * The requests to a handler outside of this process, and its answers: the same JSON over a pipe and over HTTP. Version 1;
 * members may be added, never removed. docs/plugin-contract.schema.json is generated from these schemas.
 */
import { z } from 'zod';
import type { Change } from '../change.ts';
import { withNote } from '../change/lazy-change.ts';
import { documentOf, type ChangeDocument } from '../change/change-document.ts';
import { halt, type Halt, type HandlerContext } from '../chain/handler.ts';
import { TerminalError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { shortened } from '../text/printable.ts';

declare module '../change.ts' {
  interface Notes {
    /** Notes of handlers outside of this process, by the handler's own name in its chain. */
    answers?: Readonly<Record<string, JsonObject>>;
  }
}

const CONTRACT_VERSION = 1;
/** Of a quote from another process. */
const MAX_SHOWN_CHARS = 100;

const manifest = z.looseObject({ metadata: z.looseObject({ name: z.string() }) });

export const actor = z.looseObject({
  manager: z.string().describe('The field manager, such as `kubectl-set`.'),
  operation: z.enum(['Apply', 'Update']),
  subresource: z.string().optional(),
  time: z.string().optional().describe('RFC 3339.'),
  paths: z.array(z.string()).describe('The fields that it owns.'),
});

/** A change as seen by programs outside of this one. */
export const changeDocument = z.looseObject({
  headline: z.string().describe('One line for people.'),
  id: z.int().describe('Rises with every change; `watchchain explain --change` takes it.'),
  time: z.string().describe('When the change was seen, RFC 3339 with milliseconds.'),
  cluster: z.string(),
  action: z.enum(['added', 'updated', 'deleted', 'timer']),
  apiVersion: z.string(),
  kind: z.string(),
  key: z.string().describe('`namespace/name`, or `name`.'),
  namespace: z.string().optional(),
  name: z.string(),
  uid: z.string(),
  resourceVersion: z.string(),
  by: z.array(actor).describe('Who made the change, from managedFields.'),
  flags: z.array(z.string()),
  before: manifest.optional().describe('For an update or a deletion. Secrets are redacted, managedFields left out.'),
  after: manifest.optional().describe('For a creation or an update.'),
});

/** What a plug-in reads: one JSON object, on one line in the long-lived mode. */
export const request = z
  .looseObject({
    version: z.literal(CONTRACT_VERSION),
    id: z.int().describe('The number of the change; an answer in the mode `lines` repeats it.'),
    handler: z.string().describe('`chain/name` of the handler that asks.'),
    attempt: z.int().describe('1 for the first attempt.'),
    idempotencyKey: z.string().describe('The same for every attempt of this handler on this change.'),
    change: changeDocument,
    notes: z.looseObject({}).describe('Notes of the earlier handlers.'),
  })
  .describe('The request to a plug-in.');

/** What a plug-in may answer. */
const answer = z
  .strictObject({
    id: z.int().optional().describe('The `id` of the request that this answers. Required in the mode `lines`.'),
    verdict: z.enum(['pass', 'halt']).default('pass').describe('Whether the change goes on.'),
    reason: z.string().max(1_000).optional().describe('Why the change is halted, for people.'),
    notes: z
      .record(z.string(), z.json())
      .optional()
      .describe(
        'For later handlers: `change.notes.answers["NAME"]`, where NAME is the name of this handler in its chain.',
      ),
    error: z.string().max(1_000).optional().describe('What went wrong: the attempt fails and is made again.'),
  })
  .describe('The answer of a plug-in. No answer at all passes the change on.');

export type Answer = z.output<typeof answer>;

/** The request as one line of JSON, without its line feed. */
export function requestOf(change: Change, { id: handler, attempt, idempotencyKey }: HandlerContext): string {
  return JSON.stringify({
    version: CONTRACT_VERSION,
    id: change.id,
    handler,
    attempt,
    idempotencyKey,
    change: documentOf(change) satisfies ChangeDocument,
    notes: change.notes,
  });
}

/**
 * Reads an answer; an empty one passes.
 * @throws TerminalError if the answer breaks this contract, since another attempt would get the same
 */
export function parseAnswer(text: string): Answer {
  if (text.trim() === '') return { verdict: 'pass' };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new TerminalError(`it answered ${quoted(text)}, which is not JSON; expected {"verdict": "pass"} or nothing`);
  }
  const parsed = answer.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? 'answer' : issue.path.join('.');
  throw new TerminalError(`it answered ${quoted(text)}: ${place}: ${issue?.message ?? 'does not follow the contract'}`);
}

/**
 * The verdict of an answer on the change of the request.
 * @throws TerminalError if it answers another request; Error if the plug-in reports a failure
 */
export function verdictOf(given: Answer, change: Change, { id }: Pick<HandlerContext, 'id'>): Change | Halt {
  if (given.id !== undefined && given.id !== change.id) {
    throw new TerminalError(`it answered for change ${given.id} but was asked about ${change.id}`);
  }
  if (given.error !== undefined) throw new Error(`it said: ${given.error}`);
  if (given.verdict === 'halt') return halt(given.reason ?? 'it gave no reason');
  if (given.notes === undefined) return change;
  const ownName = id.slice(id.lastIndexOf('/') + 1);
  return withNote(change, 'answers', { ...change.notes.answers, [ownName]: given.notes });
}

function quoted(text: string): string {
  return JSON.stringify(shortened(text, MAX_SHOWN_CHARS));
}

/** Request and answer as one JSON Schema document, for plug-in authors. */
export function contractSchema(): string {
  const schemas = { request, answer };
  const definitions = Object.entries(schemas).map(([name, schema]) => {
    const { $schema: _draft, ...definition } = z.toJSONSchema(schema, { io: name === 'answer' ? 'input' : 'output' });
    return [name, definition];
  });
  const document = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `The contract of watchchain's plug-ins, version ${CONTRACT_VERSION}`,
    $defs: Object.fromEntries(definitions) as JsonObject,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
