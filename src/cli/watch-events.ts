/** Watch events as people record them: one per line, or concatenated as kubectl prints them. */
import { groupVersionOf, keyOf } from '../change.ts';
import { ConfigError, toError } from '../errors.ts';
import { skipSpace, skipValue, textOf, walkObject } from '../source/scan.ts';

export interface RecordedEvent {
  /** `events.json, event 3`, for messages. */
  readonly at: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly key: string;
  /** The object alone, as UTF-8 JSON. */
  readonly body: Buffer;
}

/** What an event may contain in a hand-written file. */
interface Parsed {
  readonly type?: unknown;
  readonly object?: {
    readonly apiVersion?: unknown;
    readonly kind?: unknown;
    readonly metadata?: Readonly<Record<'name' | 'namespace' | 'uid' | 'resourceVersion', unknown>>;
  };
}

const EXPECTED =
  'expected {"type": "MODIFIED", "object": {...}}, as kubectl get -w -o json prints with --output-watch-events';

/** BOOKMARK events are left out. @throws ConfigError naming the first event that cannot be read, and why */
export function readWatchEvents(recording: Buffer, file: string): readonly RecordedEvent[] {
  const bytes = withoutMark(recording);
  const events: RecordedEvent[] = [];
  let at = skipSpace(bytes, 0, bytes.length);
  for (let n = 1; at < bytes.length; n++) {
    const location = `${file}, event ${n}`;
    try {
      const end = skipValue(bytes, at, bytes.length);
      const event = recordedEvent(bytes.subarray(at, end), location);
      if (event !== undefined) events.push(event);
      at = skipSpace(bytes, end, bytes.length);
    } catch (thrown) {
      throw new ConfigError([`${location}: ${toError(thrown).message}; ${EXPECTED}`], { cause: thrown });
    }
  }
  if (events.length === 0)
    throw new ConfigError([
      `${file} holds no watch events; record some with: kubectl get deployments -w -o json --output-watch-events`,
    ]);
  return events;
}

/** PowerShell's `>` writes UTF-16, and other Windows programs UTF-8, with a byte order mark. */
function withoutMark(recording: Buffer): Buffer {
  const mark = recording.toString('hex', 0, 3);
  if (mark === 'efbbbf') return recording.subarray(3);
  return mark.startsWith('fffe') ? Buffer.from(recording.toString('utf16le', 2)) : recording;
}

function recordedEvent(bytes: Buffer, at: string): RecordedEvent | undefined {
  const { type, object } = (JSON.parse(bytes.toString('utf8')) ?? {}) as Parsed;
  if (type === 'BOOKMARK') return undefined;
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED')
    throw new Error(`the type is ${JSON.stringify(type)}`);
  const { apiVersion, kind, metadata } = object ?? {};
  const { name, namespace, uid, resourceVersion } = metadata ?? {};
  if (!isText(apiVersion) || !isText(kind) || !isText(name))
    throw new Error('its apiVersion, kind or metadata.name is missing or not a string');
  if (!isText(uid) || !isText(resourceVersion))
    throw new Error(`${kind} ${name}: its metadata.uid or resourceVersion is missing or not a string`);
  return {
    at,
    type,
    ...groupVersionOf(apiVersion),
    kind,
    key: keyOf({ namespace: isText(namespace) ? namespace : undefined, name }),
    body: objectIn(bytes),
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** The object's original bytes: parsing and serializing would round large integers. */
function objectIn(event: Buffer): Buffer {
  let body = event;
  walkObject(event, 0, event.length, (key, keyEnd, value) => {
    const end = skipValue(event, value, event.length);
    if (textOf(event, key, keyEnd) === 'object') body = event.subarray(value, end);
    return end;
  });
  return body;
}
