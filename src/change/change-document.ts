/** A change as a JSON document for other programs: it has the same members wherever it is printed. */
import { apiVersionOf, type Actor, type Change, type Manifest } from '../change.ts';
import { flagNames } from './flags.ts';
import { headlineOf } from '../template/headline.ts';

/** Members are only ever added. What does not apply is absent: `before` of a creation, `after` of a deletion, `namespace` of a Node. */
export interface ChangeSummary {
  /** One line for people. */
  readonly headline: string;
  /** The accept number, for `watchchain explain --change`. */
  readonly id: number;
  /** When the change was seen, RFC 3339 with milliseconds. */
  readonly time: string;
  readonly cluster: string;
  readonly action: Change['action'];
  readonly apiVersion: string;
  readonly kind: string;
  readonly key: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly by: readonly Actor[];
  readonly flags: readonly string[];
  /** The note of `podAlerts`. */
  readonly alert?: NonNullable<Change['notes']['alert']>;
  /** The note of `lasting`. */
  readonly lasting?: NonNullable<Change['notes']['lasting']>;
}

/** The same with its manifests. */
export interface ChangeDocument extends ChangeSummary {
  readonly before?: Manifest;
  readonly after?: Manifest;
}

export function documentOf(change: Change): ChangeDocument {
  const { before, after } = change;
  return {
    ...summaryOf(change),
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
}

export function summaryOf(change: Change): ChangeSummary {
  const { id, action, gvk, key, namespace, name, uid, resourceVersion, by } = change;
  const { alert, lasting } = change.notes;
  return {
    headline: headlineOf(change),
    id,
    time: new Date(change.observedAt).toISOString(),
    cluster: change.cluster.name,
    action,
    apiVersion: apiVersionOf(gvk),
    kind: gvk.kind,
    key,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    uid,
    resourceVersion,
    by,
    flags: flagNames(change.flags),
    ...(alert === undefined ? {} : { alert }),
    ...(lasting === undefined ? {} : { lasting }),
  };
}
