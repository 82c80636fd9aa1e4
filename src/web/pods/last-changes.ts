/** The last changes of the workloads behind pods at risk. */
import { keyOf, type Change } from '../../change.ts';
import { groupOf, type Owner } from '../../../handlers/podAlerts/owner.ts';
import { managersIn } from '../../change/remarks.ts';
import type { Store } from '../../store/store.ts';
import type { RecordedKind } from '../../store/stored.ts';
import { toShownChange } from '../changes.ts';
import { mapYielding } from '../map-yielding.ts';
import type { Finding } from './findings.ts';

export interface LastChange {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly what: string;
  readonly who: string;
}

/** Workloads whose last change is looked up. */
const MAX_OWNERS = 50;

export class LastChanges {
  /** Results of the last call, by the change's id: finding the differences takes a millisecond each. */
  #known: ReadonlyMap<number, LastChange> = new Map();

  /** For the first {@link MAX_OWNERS} workloads. Lets other work run in between. */
  async of(store: Store, findings: readonly Finding[]): Promise<(finding: Finding) => LastChange | undefined> {
    const owners = new Map(findings.flatMap(({ owner }) => (owner === undefined ? [] : [[groupOf(owner), owner]])));
    const kinds = await store.kinds();
    const shownOwners = [...owners].slice(0, MAX_OWNERS);
    const newest = await Promise.all(shownOwners.map(([, owner]) => newestOf(store, kinds, owner)));
    const known = new Map<number, LastChange>();
    const byOwner = new Map<string, LastChange>();
    await mapYielding(newest.entries(), ([n, change]) => {
      if (change === undefined) return;
      const last = this.#known.get(change.id) ?? describe(change);
      known.set(change.id, last);
      byOwner.set(shownOwners[n]?.[0] ?? '', last);
    });
    this.#known = known;
    return ({ owner }) => (owner === undefined ? undefined : byOwner.get(groupOf(owner)));
  }
}

async function newestOf(store: Store, kinds: readonly RecordedKind[], owner: Owner): Promise<Change | undefined> {
  const kind = kinds.find((one) => one.kind === owner.kind);
  if (owner.namespace === undefined || kind === undefined || owner.kind === 'Pod') return undefined;
  const { group, resource } = kind;
  const [newest] = await store.history({ group, resource, key: keyOf(owner), newestFirst: true, limit: 1 });
  return newest;
}

function describe(change: Change): LastChange {
  const { what, action, by } = toShownChange(change);
  const who = managersIn(by).join(', ');
  return { at: change.observedAt, what: what ?? action, who };
}
