/** docs/templates.md and `explain templates`: generated from the names and filters themselves, so that it cannot drift. */
import type { Change } from '../change.ts';
import { cell, table } from '../text/markdown.ts';
import { EVENT_FIELDS } from './event-scope.ts';
import type { FilterDefinition } from './filter.ts';
import { FILTERS } from './filters.ts';
import { GO_FILTERS } from './go/index.ts';
import { CHANGE_FIELDS, INVOLVED_FIELDS, scopeOf } from './scope.ts';

const EVENT = {
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'web-1.17a', namespace: 'shop', uid: '5d7c', resourceVersion: '7' },
  involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-1' },
  type: 'Warning',
  reason: 'BackOff',
  message: 'Back-off restarting failed container',
  count: 3,
  source: { component: 'kubelet', host: 'node-1' },
  firstTimestamp: '2026-11-20T23:36:51Z',
  lastTimestamp: '2026-11-20T23:42:01Z',
};

const CHANGE: Change = {
  id: 42,
  action: 'added',
  cluster: { id: 'c0ffee', name: 'prod-eu' },
  gvk: { group: '', version: 'v1', kind: 'Event' },
  gvr: { group: '', version: 'v1', resource: 'events' },
  key: 'shop/web-1.17a',
  namespace: 'shop',
  name: 'web-1.17a',
  uid: '5d7c',
  resourceVersion: '7',
  before: undefined,
  after: EVENT,
  by: [],
  observedAt: Date.UTC(2026, 10, 20, 23, 42, 3),
  flags: {},
  notes: {},
};

/** The sample for rendering the examples: an Event of a pod that does not start. */
export const SAMPLE = scopeOf(CHANGE);

/** The page as Markdown. Ends with a newline. */
export function templatesPage(): string {
  return [
    '# Templates',
    'The texts that handlers send, and the test `when` of [`match`](handlers/match.md), `quiet` and `lasting`, can be [Liquid](https://shopify.github.io/liquid/) templates, which read the fields of the change and of the Kubernetes Event. `watchchain check` finds a wrong template and names its line. If a template fails later for one change, for example at a limit, the change becomes a dead letter that names the handler and the field.',
    '```toml\nmessage = "{{ event.reason }} on {{ event.involvedObject.name }}: {{ event.message | truncate: 200 }}"\n```',
    'To try a template, run `kubectl get events -A -w -o json --output-watch-events | watchchain test - -c config.toml`: it shows what each sink would send, and sends nothing.',
    'An absent value renders as nothing, so an object without a label is not an error; a name that no change has is an error. Lists and objects are written as JSON. To apply a text filter to one, put `json` first, as in `{{ change.by | json | truncate: 200 }}`. A label whose name has a dot or a slash is read as `change.object.metadata.labels["app.kubernetes.io/name"]`.',
    '## Layouts',
    'A layout is JSON, written as a TOML table. Numbers and booleans stay as they are, and each text is a template. Keys are not templates, and keep their order. A text that is exactly one `{{ ... }}` becomes the value it yields: a number, a boolean, a list, an object. If it yields nothing, the key or list element is left out.',
    '```toml\n[handler.layout]\ntext = "{{ event.reason }}: {{ event.message }}"\ncount = "{{ event.count }}"        # a number\nobject = "{{ event.involvedObject }}"  # an object\nhost = "{{ event.host }}"          # absent when the Event names none\nversion = 1\n```',
    '## change',
    table(['name', 'meaning'], fieldRows('change', CHANGE_FIELDS)),
    '## event',
    'A Kubernetes Event, from core/v1 or events.k8s.io/v1; nothing for any other kind. It has every field of the manifest, and these:',
    table(['name', 'meaning'], fieldRows('event', EVENT_FIELDS)),
    '## involved',
    'What the change is about: for a Kubernetes Event the object that it involves, for anything else the changed object itself. It is looked up only for handlers whose templates read it: see [Kubernetes Events](events.md).',
    table(['name', 'meaning'], fieldRows('involved', INVOLVED_FIELDS)),
    '## Filters',
    "All filters of [LiquidJS](https://liquidjs.com/filters/overview.html) except `sample`, and all its tags except those that read files or count. `date` shows UTC unless you name a zone: `{{ event.lastTimestamp | date: '%H:%M', 'Europe/Berlin' }}`. And these:",
    ...FILTERS.flatMap(filterSection),
    '### In imported configurations',
    "`watchchain import` turns kubernetes-event-exporter's Go templates into templates with these filters, which work as in Go's text/template and in sprig.",
    table(['filter', 'meaning', 'template', 'yields'], GO_FILTERS.map(filterRow)),
    '## Limits',
    'A template reads own properties only: no files, no environment, no code. One render may take at most 100,000 steps and one second, handle 16 million characters and write 4 million. Regular expressions are RE2 and see only the first 64 KiB of a text.',
  ]
    .join('\n\n')
    .concat('\n');
}

function fieldRows(root: string, fields: Readonly<Record<string, string>>): readonly (readonly string[])[] {
  return Object.entries(fields)
    .filter(([, meaning]) => meaning !== '')
    .map(([name, meaning]) => [`\`${root}.${name}\``, meaning]);
}

function filterRow({ name, args, summary, examples: [example] }: FilterDefinition): readonly string[] {
  const code = (text = '') => `\`${text.replaceAll('|', '\\|').replaceAll('\n', '\\n')}\``;
  return [
    code(args === undefined ? name : `${name}: ${args}`),
    summary,
    code(example?.template),
    code(example?.result),
  ];
}

function filterSection({ name, args, summary, examples }: FilterDefinition): readonly string[] {
  const rows = examples.map(({ template, result }) => [`\`${cell(template)}\``, `\`${result}\``]);
  return [`### \`${name}${args === undefined ? '' : `: ${args}`}\``, summary, table(['template', 'yields'], rows)];
}
