/** The pods at risk of the page: what is wrong, and what was changed last in the workload behind it. */
import { managersIn } from '../../remarks.ts';
import type { Outlook } from '../outlook.ts';
import type { Store } from '../../store/store.ts';
import { shown } from '../changes.ts';
import type { Finding } from './board.ts';
import type { PodDesk } from './pod-desk.ts';
import type { PodEntry } from './shapes.ts';

export interface PodRow {
  readonly finding: Finding;
  /** Undefined: the pod itself is not watched, or gone meanwhile. */
  readonly entry: PodEntry | undefined;
  readonly lastChange: LastChange | undefined;
}

/** Of the workload. */
export interface LastChange {
  readonly at: number;
  readonly what: string;
  readonly who: string;
}

export interface PodRows {
  readonly rows: readonly PodRow[];
  /** With those that are not shown. */
  readonly total: number;
  /** Pods that are watched. */
  readonly watched: number;
}

const MAX_ROWS = 300;
/** Workloads whose last change is looked up. */
const MAX_OWNERS = 50;

export async function podRowsOf(outlook: Outlook, desk: PodDesk): Promise<PodRows> {
  const [findings, entries] = await Promise.all([desk.findings(), desk.problems()]);
  const shownFindings = findings.slice(0, MAX_ROWS);
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const store = outlook.store();
  const changes = store === undefined ? new Map<string, LastChange>() : await lastChangesOf(store, shownFindings);
  const scopes = outlook.health().scopes.filter(({ resource }) => resource === 'v1/pods');
  return {
    rows: shownFindings.map((finding) => ({
      finding,
      entry: byId.get(finding.id),
      lastChange: changes.get(ownerKey(finding) ?? ''),
    })),
    total: findings.length,
    watched: scopes.reduce((n, { objects }) => n + objects, 0),
  };
}

function ownerKey({ owner }: Finding): string | undefined {
  return owner === undefined ? undefined : `${owner.kind} ${owner.namespace ?? ''}/${owner.name}`;
}

async function lastChangesOf(store: Store, findings: readonly Finding[]): Promise<ReadonlyMap<string, LastChange>> {
  const kinds = await store.kinds();
  const owners = new Map(findings.map((finding) => [ownerKey(finding), finding.owner]));
  const found = await Promise.all(
    [...owners].slice(0, MAX_OWNERS).map(async ([id, owner]): Promise<[string, LastChange] | undefined> => {
      const kind = kinds.find((one) => one.kind === owner?.kind);
      if (id === undefined || owner?.namespace === undefined || kind === undefined || owner.kind === 'Pod')
        return undefined;
      const key = `${owner.namespace}/${owner.name}`;
      const [change] = await store.history({
        group: kind.group,
        resource: kind.resource,
        key,
        newestFirst: true,
        limit: 1,
      });
      if (change === undefined) return undefined;
      const { what, action, by } = shown(change);
      const who = managersIn(by).join(', ');
      return [id, { at: change.observedAt, what: what ?? action, who }];
    }),
  );
  return new Map(found.filter((entry) => entry !== undefined));
}
