/** The Event as kubernetes-event-exporter sends it without a layout, including what is known about the involved object. */
import type { FilterDefinition } from '../filter.ts';
import { isObject } from '../../json.ts';
import { isEmpty } from './values.ts';

type Fields = Readonly<Record<string, unknown>>;

export const ENHANCED_EVENT: readonly FilterDefinition[] = [
  {
    name: 'enhanced_event',
    args: 'involved, "cluster"',
    summary:
      'An Event with its involved object, in the shape that kubernetes-event-exporter sends: without `kind` and `apiVersion`, with `clusterName`, and with the labels, annotations and owners in `involvedObject`, and whether it is deleted.',
    examples: [
      {
        template: '{% assign whole = change.object | enhanced_event: nil, "prod" %}{{ whole.clusterName }}',
        result: 'prod',
      },
    ],
    apply: (event, [involved, clusterName]) => enhanced(fieldsOf(event), fieldsOf(involved), clusterName),
  },
  {
    name: 'go_field',
    args: '"involvedObject"',
    summary: 'A field of an object.',
    examples: [{ template: '{{ event.involvedObject | go_field: "kind" }}', result: 'Pod' }],
    apply: (value, [name]) => (typeof name === 'string' ? fieldsOf(value)[name] : undefined),
  },
  {
    name: 'de_dot',
    summary:
      'A map with `_` for each `.` in its keys. In a whole Event, only labels and annotations are treated so, its own and those of the involved object.',
    examples: [
      {
        template: '{% assign whole = change.object | enhanced_event: nil, "prod" | de_dot %}{{ whole.clusterName }}',
        result: 'prod',
      },
    ],
    apply: (value) => deDotted(fieldsOf(value)),
  },
];

const REFERENCE = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'] as const;
const METADATA = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
] as const;

/** In the field order of Go's structs; fields that Go always writes are present even if unknown. */
function enhanced(event: Fields, involved: Fields, clusterName: unknown): Fields {
  return {
    metadata: { ...picked(fieldsOf(event['metadata']), METADATA, { creationTimestamp: null }) },
    ...picked(event, ['reason', 'message']),
    source: picked(fieldsOf(event['source']), ['component', 'host']),
    ...picked(event, ['firstTimestamp', 'lastTimestamp', 'count', 'type', 'eventTime', 'series', 'action', 'related'], {
      firstTimestamp: null,
      lastTimestamp: null,
      eventTime: null,
    }),
    ...picked(event, ['reportingComponent', 'reportingInstance'], { reportingComponent: '', reportingInstance: '' }),
    clusterName: clusterName ?? '',
    involvedObject: {
      ...picked(fieldsOf(event['involvedObject']), REFERENCE),
      ...picked(involved, ['labels', 'annotations', 'ownerReferences', 'deleted'], { deleted: false }),
    },
  };
}

/** The fields that are not empty, in this order; an empty one is replaced by its substitute, if any. */
function picked(from: Fields, names: readonly string[], substitutes: Fields = {}): Fields {
  const present = names.map((name) => [name, isEmpty(from[name]) ? substitutes[name] : from[name]] as const);
  return Object.fromEntries(present.filter(([, value]) => value !== undefined));
}

function deDotted(value: Fields): Fields {
  const { metadata, involvedObject } = value;
  if (typeof metadata !== 'object' || typeof involvedObject !== 'object') return withoutDots(value);
  return {
    ...value,
    metadata: tablesWithoutDots(fieldsOf(metadata)),
    involvedObject: tablesWithoutDots(fieldsOf(involvedObject)),
  };
}

function tablesWithoutDots(of: Fields): Fields {
  const { labels, annotations } = of;
  return {
    ...of,
    ...(labels === undefined ? {} : { labels: withoutDots(fieldsOf(labels)) }),
    ...(annotations === undefined ? {} : { annotations: withoutDots(fieldsOf(annotations)) }),
  };
}

function withoutDots(map: Fields): Fields {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key.replaceAll('.', '_'), value]));
}

function fieldsOf(value: unknown): Fields {
  return isObject(value) ? value : {};
}
