/** docs/templates.md and `explain templates`: made from the names and filters themselves, so that it cannot drift. */
import type { Change } from '../change.ts';
import { cell, table } from '../markdown.ts';
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

/** What the examples are rendered with: an Event of a pod that does not start. */
export const SAMPLE = scopeOf(CHANGE);

/** The page as Markdown. Ends with a newline. */
export function templatesPage(): string {
  return [
    '# Templates',
    'Texts that are sent can be templates: [Liquid](https://shopify.github.io/liquid/), with the names of the change and of the Kubernetes Event. `watchchain check` finds a template that is wrong, with its line; what fails later for one change, such as a limit reached, is a dead letter that names handler and field.',
    '```toml\nmessage = "{{ event.reason }} on {{ event.involvedObject.name }}: {{ event.message | truncate: 200 }}"\n```',
    'To try one, `kubectl get events -A -w -o json --output-watch-events | watchchain test - -c config.toml` shows what each sink would send, and sends nothing.',
    'What is not there renders as nothing, so that an object without a label is no error; a name that no change has is one. Lists and objects are written as JSON; a filter for texts wants `json` before it, as in `{{ change.by | json | truncate: 200 }}`. Labels whose name has a dot or a slash: `change.object.metadata.labels["app.kubernetes.io/name"]`.',
    '## Layouts',
    'A layout is JSON, written as a TOML table: numbers and booleans stay what they are, each text is a template, keys are no templates and keep their order. A text that is exactly one `{{ ... }}` becomes what that yields: a number, a boolean, a list, an object. Where it yields nothing, the key or the list element is left out.',
    '```toml\n[handler.layout]\ntext = "{{ event.reason }}: {{ event.message }}"\ncount = "{{ event.count }}"        # a number\nobject = "{{ event.involvedObject }}"  # an object\nhost = "{{ event.host }}"          # absent when the Event names none\nversion = 1\n```',
    '## change',
    table(['name', 'meaning'], fieldRows('change', CHANGE_FIELDS)),
    '## event',
    'Of a Kubernetes Event, of core/v1 and events.k8s.io/v1 alike; nothing for any other kind. Everything in its manifest, with these:',
    table(['name', 'meaning'], fieldRows('event', EVENT_FIELDS)),
    '## involved',
    'What the change is about: of a Kubernetes Event the object that it involves, of anything else the changed object itself. It is looked up only for handlers whose templates read it: see [Kubernetes Events](events.md).',
    table(['name', 'meaning'], fieldRows('involved', INVOLVED_FIELDS)),
    '## Filters',
    "Those of [LiquidJS](https://liquidjs.com/filters/overview.html) (but for `sample`), and its tags (but for those that read files or count). `date` shows UTC unless told otherwise: `{{ event.lastTimestamp | date: '%H:%M', 'Europe/Berlin' }}`. And these:",
    ...FILTERS.flatMap(filterSection),
    '### In imported configurations',
    "What `watchchain import` makes of kubernetes-event-exporter's Go templates uses filters with the meaning of Go's text/template and of sprig.",
    table(['filter', 'meaning', 'template', 'yields'], GO_FILTERS.map(filterRow)),
    '## Limits',
    'A template reads own properties only: no file, no environment, no code. One render may take 100,000 steps or a second, handle 16 million characters and write 4 million. Regular expressions are RE2 and look at the first 64 KiB of a text.',
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
