/**
 * The fields of kubernetes-event-exporter's EnhancedEvent that a template may use, by their Go names, and where each is found
 * here. Fields that the scope's `event` would fill in when absent come from the unchanged manifest (`change.object`).
 */
import { quoted, type GoType } from './value.ts';

export interface Field {
  readonly type: GoType;
  /** Relative to the struct's own value if it begins with a dot. */
  readonly liquid: string;
  /** The field is always this text. */
  readonly literal?: string;
}

export interface Struct {
  readonly fields: Readonly<Record<string, Field>>;
  /** The struct as a whole, for `toJson`; undefined: its own value. */
  readonly whole?: string;
  /** What `toJson` writes if all fields are empty; undefined: `null`, as it then is a nil pointer. */
  readonly empty?: string;
}

export interface FieldOptions {
  readonly clusterName: string;
  /** Replace dots in the keys of labels and annotations by underscores. */
  readonly deDot: boolean;
}

const METADATA = 'event.metadata';
const MANIFEST = 'change.object';
const INVOLVED = 'event.involvedObject';

/** Marks the structs that the method `DeDot` of an Event leads to. */
const BY_DE_DOT = ' after DeDot';

export function structsOf(options: FieldOptions): Readonly<Record<string, Struct>> {
  return {
    ...structsOfEvent(options, ''),
    ...structsOfEvent({ ...options, deDot: true }, BY_DE_DOT),
    Source: { fields: { Component: text('.component'), Host: text('.host') }, empty: '"{}"' },
    Series: { fields: { Count: number('.count'), LastObservedTime: time('.lastObservedTime') } },
    ObjectReference: { fields: REFERENCE_FIELDS },
    Owner: { fields: OWNER_FIELDS },
  };
}

/** The structs with labels and annotations. */
function structsOfEvent(options: FieldOptions, suffix: string): Readonly<Record<string, Struct>> {
  const whole = wholeEvent(options);
  return {
    [`Event${suffix}`]: { fields: eventFields(options, suffix), whole },
    [`ObjectMeta${suffix}`]: { fields: metadataFields(options), whole: `${whole} | go_field: "metadata"` },
    [`InvolvedObject${suffix}`]: { fields: involvedFields(options), whole: `${whole} | go_field: "involvedObject"` },
  };
}

/** Fields whose name in the Event's JSON, in lower case, is another one than in Go. */
export const GO_NAMES: ReadonlyMap<string, string> = new Map([['reportingcomponent', 'ReportingController']]);

/** The Event with what is known about its object, as kubernetes-event-exporter sends it without a layout. */
export function wholeEvent({ clusterName, deDot }: FieldOptions): string {
  const whole = `${MANIFEST} | enhanced_event: involved, ${quoted(clusterName)}`;
  return deDot ? `${whole} | de_dot` : whole;
}

function eventFields(options: FieldOptions, suffix: string): Readonly<Record<string, Field>> {
  return {
    ...metadataFields(options),
    ObjectMeta: { type: { struct: `ObjectMeta${suffix}` }, liquid: METADATA },
    // Informers leave them empty.
    Kind: constant(''),
    APIVersion: constant(''),
    Reason: text('event.reason'),
    Message: text('event.message'),
    Type: text('event.type'),
    Action: text('event.action'),
    Count: number(`${MANIFEST}.count`),
    FirstTimestamp: time(`${MANIFEST}.firstTimestamp`),
    LastTimestamp: time(`${MANIFEST}.lastTimestamp`),
    EventTime: time(`${MANIFEST}.eventTime`),
    Series: { type: { struct: 'Series' }, liquid: 'event.series' },
    Source: { type: { struct: 'Source' }, liquid: 'event.source' },
    Related: { type: { struct: 'ObjectReference' }, liquid: 'event.related' },
    ReportingController: text('event.reportingComponent'),
    ReportingInstance: text('event.reportingInstance'),
    ClusterName: constant(options.clusterName),
    InvolvedObject: { type: { struct: `InvolvedObject${suffix}` }, liquid: INVOLVED },
    DeDot: { type: { struct: `Event${BY_DE_DOT}` }, liquid: 'event' },
    GetTimestampMs: { type: 'number', liquid: `${MANIFEST} | event_timestamp: "ms"` },
    GetTimestampISO8601: text(`${MANIFEST} | event_timestamp: "iso8601"`),
    ToJSON: text(`${wholeEvent(options)} | go_json`),
  };
}

/** The metadata of the Event itself. */
function metadataFields({ deDot }: FieldOptions): Readonly<Record<string, Field>> {
  const own: Readonly<Record<string, Field>> = {
    Name: text(`${METADATA}.name`),
    GenerateName: text(`${METADATA}.generateName`),
    Namespace: text(`${METADATA}.namespace`),
    UID: text(`${METADATA}.uid`),
    ResourceVersion: text(`${METADATA}.resourceVersion`),
    CreationTimestamp: time(`${METADATA}.creationTimestamp`),
    Labels: texts(`${METADATA}.labels`, deDot),
    Annotations: texts(`${METADATA}.annotations`, deDot),
  };
  return { ...own, ...getters(own) };
}

/** `GetName` and the other getters of every Kubernetes object. */
function getters(fields: Readonly<Record<string, Field>>): Readonly<Record<string, Field>> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [`Get${name}`, field]));
}

const REFERENCE_FIELDS: Readonly<Record<string, Field>> = {
  Kind: text('.kind'),
  Namespace: text('.namespace'),
  Name: text('.name'),
  UID: text('.uid'),
  APIVersion: text('.apiVersion'),
  ResourceVersion: text('.resourceVersion'),
  FieldPath: text('.fieldPath'),
};

function involvedFields({ deDot }: FieldOptions): Readonly<Record<string, Field>> {
  return {
    ...REFERENCE_FIELDS,
    ObjectReference: { type: { struct: 'ObjectReference' }, liquid: INVOLVED },
    Labels: texts('involved.labels', deDot),
    Annotations: texts('involved.annotations', deDot),
    OwnerReferences: { type: { list: { struct: 'Owner' } }, liquid: 'involved.ownerReferences' },
    Deleted: { type: 'boolean', liquid: 'involved.deleted' },
  };
}

const OWNER_FIELDS: Readonly<Record<string, Field>> = {
  APIVersion: text('.apiVersion'),
  Kind: text('.kind'),
  Name: text('.name'),
  UID: text('.uid'),
  Controller: { type: 'boolean', liquid: '.controller' },
};

/** The methods of a time that take no arguments. */
export const TIME_FIELDS: Readonly<Record<string, { readonly type: GoType; readonly filter: string | undefined }>> = {
  Time: { type: 'time', filter: undefined },
  UTC: { type: 'time', filter: undefined },
  Local: { type: 'time', filter: undefined },
  String: { type: 'string', filter: 'go_time' },
  IsZero: { type: 'boolean', filter: 'go_not' },
  Unix: { type: 'number', filter: 'go_unix: "s"' },
  UnixMilli: { type: 'number', filter: 'go_unix: "ms"' },
  UnixNano: { type: 'number', filter: 'go_unix: "ns"' },
  Year: { type: 'number', filter: 'go_date: "2006" | go_int' },
  Month: { type: 'string', filter: 'go_date: "January"' },
  Day: { type: 'number', filter: 'go_date: "2" | go_int' },
  Weekday: { type: 'string', filter: 'go_date: "Monday"' },
  Hour: { type: 'number', filter: 'go_date: "15" | go_int' },
  Minute: { type: 'number', filter: 'go_date: "4" | go_int' },
  Second: { type: 'number', filter: 'go_date: "5" | go_int' },
};

function text(liquid: string): Field {
  return { type: 'string', liquid };
}

function constant(literal: string): Field {
  return { type: 'string', liquid: quoted(literal), literal };
}

function number(liquid: string): Field {
  return { type: 'number', liquid: `${liquid} | default: 0` };
}

function time(liquid: string): Field {
  return { type: 'time', liquid };
}

function texts(liquid: string, deDot: boolean): Field {
  return { type: { map: 'string' }, liquid: deDot ? `${liquid} | de_dot` : liquid };
}
