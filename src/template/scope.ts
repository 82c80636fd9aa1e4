/** The names that a template may use, and their values for one change. */
import { apiVersionOf, manifestOf, type Change } from '../change.ts';
import { ownGetters } from '../change/own-getters.ts';
import { detailsOf } from './details.ts';
import { eventScope, EVENT_FIELDS } from './event-scope.ts';
import { headlineOf } from './headline.ts';

/** What a template is rendered with: made by {@link scopeOf}. Each part is computed when a template reads it. */
export interface TemplateScope {
  readonly change: object;
  readonly event: object | undefined;
  readonly involved: object | undefined;
  readonly [root: string]: unknown;
}

/** The fields of `change`, with their meaning: docs/templates.md is generated from it, and other names are refused. */
export const CHANGE_FIELDS = {
  action: '`added`, `updated` or `deleted`; for an alert from `podAlerts` also `timer`',
  kind: '`Deployment`',
  apiVersion: '`apps/v1`; `v1` for the core group',
  group: '`apps`; empty for the core group',
  version: '`v1`',
  resource: 'the plural, as in a URL: `deployments`',
  key: '`namespace/name`, or `name` for a cluster-scoped object',
  namespace: 'nothing for a cluster-scoped object',
  name: 'of the object',
  uid: 'of the object; a successor of the same name has another',
  resourceVersion: 'of `after`, or of `before` for a deletion',
  cluster: "the cluster's name",
  id: 'the number under which the change was accepted; with `change.observedAt` an id that each attempt has in common: see [Elasticsearch](receivers.md#elasticsearch-opensearch)',
  observedAt: 'when the change was seen, RFC 3339',
  headline: 'one line for people: `deployment shop/web updated: image web 1.4.2 -> 1.5.0`',
  details:
    'the lines below the headline: who made the change, the changed fields, the diff; for an alert what was changed before, Events and the log; nothing if there is no more to say',
  before: 'the manifest before; nothing for `added`',
  after: 'the manifest after; nothing for `deleted`',
  object: '`after`, or `before` for a deletion',
  by: 'who made the change: a list of `manager`, `operation`, `subresource`, `time`, `paths`',
  flags:
    'what is special about the change: `whileAway`, `compacted`, `finalStateUnknown`, `leftScope`, `delayed`, `replayed`; each `true` or nothing',
  notes:
    'what earlier handlers left: `notes.diff.headline`, `notes.diff.fields`, `notes.diff.unified`, `notes.diff.by`; `notes.alert.status`, `notes.alert.reason` and more from [`podAlerts`](pods.md); `notes.once.suppressed`, `notes.once.since` from [`once`](handlers/once.md); `notes.lasting.status` and more from [`lasting`](handlers/lasting.md)',
} as const;

/** The fields of `involved`, with their meaning. */
export const INVOLVED_FIELDS = {
  apiVersion: '`v1`, `apps/v1`; empty when an Event names none',
  kind: '`Pod`',
  namespace: 'nothing for a cluster-scoped object',
  name: 'of the object',
  uid: 'of the object; nothing when an Event names none',
  labels: '`involved.labels["app.kubernetes.io/name"]`',
  annotations: 'as `labels`',
  ownerReferences: 'a list of `apiVersion`, `kind`, `name`, `uid`, `controller`',
  topOwner:
    'the last of its owners, pod -> replica set -> deployment, or the object itself if it has no owner: `apiVersion`, `kind`, `namespace`, `name`, `uid`',
  namespaceLabels: 'the labels of its namespace: `involved.namespaceLabels.team`; nothing for a cluster-scoped object',
  deleted: '`true` if the object is gone or being deleted',
  known: '`false` if the cluster does not show the object; labels, annotations and owners are then empty',
} as const;

/** The roots, with the fields that each may have. */
export const ROOTS: Readonly<Record<string, readonly string[]>> = {
  change: Object.keys(CHANGE_FIELDS),
  event: Object.keys(EVENT_FIELDS),
  involved: Object.keys(INVOLVED_FIELDS),
};

/** The scope of one change. A manifest is parsed when a template first reads it. */
export function scopeOf(change: Change): TemplateScope {
  return new LazyScope(change);
}

class LazyScope implements TemplateScope {
  readonly [root: string]: unknown;
  declare readonly change: object;
  declare readonly event: object | undefined;
  declare readonly involved: object | undefined;
  readonly #change: Change;
  #fields: ChangeFields | undefined;
  #event: object | undefined;

  constructor(change: Change) {
    this.#change = change;
    Object.defineProperties(this, LazyScope.#getters);
    Object.freeze(this);
  }

  static readonly #getters = ownGetters<LazyScope>({
    change: (roots) => (roots.#fields ??= new ChangeFields(roots.#change)),
    event: (roots) => (roots.#event ??= eventScope(roots.#change)),
    // Set by the runner for a handler whose options use it, see src/enrich/needs.ts.
    involved: (roots) => roots.#change.notes.involved,
  });

  static {
    // liquidjs checks whether a name is `in` the scope: only the names above may be.
    Reflect.deleteProperty(this.prototype, 'constructor');
    Reflect.setPrototypeOf(this.prototype, null);
  }
}

const FIELDS: Readonly<Record<keyof typeof CHANGE_FIELDS, (change: Change) => unknown>> = {
  action: ({ action }) => action,
  kind: ({ gvk }) => gvk.kind,
  apiVersion: ({ gvk }) => apiVersionOf(gvk),
  group: ({ gvk }) => gvk.group,
  version: ({ gvk }) => gvk.version,
  resource: ({ gvr }) => gvr.resource,
  key: ({ key }) => key,
  namespace: ({ namespace }) => namespace,
  name: ({ name }) => name,
  uid: ({ uid }) => uid,
  resourceVersion: ({ resourceVersion }) => resourceVersion,
  cluster: ({ cluster }) => cluster.name,
  id: ({ id }) => id,
  observedAt: ({ observedAt }) => new Date(observedAt).toISOString(),
  headline: headlineOf,
  details: (change) => detailsOf(change) || undefined,
  before: ({ before }) => before,
  after: ({ after }) => after,
  object: manifestOf,
  by: ({ by }) => by,
  flags: ({ flags }) => flags,
  notes: ownNotes,
};

class ChangeFields {
  readonly #change: Change;

  constructor(change: Change) {
    this.#change = change;
    Object.defineProperties(this, ChangeFields.#getters);
  }

  static readonly #getters = ownGetters<ChangeFields>(
    Object.fromEntries(
      Object.entries(FIELDS).map(([name, read]) => [name, (fields: ChangeFields) => read(fields.#change)]),
    ),
  );
}

/** Templates see own properties only, but a note may compute its parts in getters of a class. */
function ownNotes({ notes }: Change): object {
  const own = Object.create(null) as Record<string, unknown>;
  for (const [name, note] of Object.entries(notes) as [string, object][]) own[name] = ownParts(note);
  return own;
}

function ownParts(note: unknown): unknown {
  if (typeof note !== 'object' || note === null) return note;
  const prototype = Object.getPrototypeOf(note) as object | null;
  if (prototype === null || prototype === Object.prototype || Array.isArray(note)) return note;
  const descriptors = Object.entries(Object.getOwnPropertyDescriptors(prototype));
  if (descriptors.every(([, descriptor]) => descriptor.get === undefined)) return note;
  const parts = { ...note };
  for (const [name, descriptor] of descriptors) {
    if (descriptor.get === undefined) continue;
    Object.defineProperty(parts, name, { get: descriptor.get.bind(note), enumerable: true });
  }
  return parts;
}
