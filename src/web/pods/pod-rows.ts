/** The page's pods at risk: what is wrong, and what last changed in the workload behind them. */
import type { FailingKind } from '../../../handlers/podAlerts/failing-kind.ts';
import type { ServiceView } from '../service-view.ts';
import { idOf, type Finding } from './findings.ts';
import { containerStatusesOf } from './containers.ts';
import { LastChanges, type LastChange } from './last-changes.ts';
import type { PodQueries } from './pod-queries.ts';
import { podScopes, podsOf } from './pod-store.ts';
import { updatedAtOf } from './shapes.ts';

export interface PodRow {
  readonly finding: Finding;
  /** Undefined: the pod itself is not watched, or gone by now. */
  readonly now: PodNow | undefined;
  readonly lastChange: LastChange | undefined;
}

/** What the manifest says now. */
export interface PodNow {
  /** Total restarts of the container. */
  readonly restarts: number;
  /** Milliseconds since the epoch. */
  readonly updatedAt: number;
}

export interface PodRows {
  readonly rows: readonly PodRow[];
  /** Including those that are not shown. */
  readonly total: number;
  /** Objects at risk by kind, each counted once however many of its containers fail. */
  readonly failing: Readonly<Record<FailingKind, number>>;
  /** The number of watched pods. */
  readonly watched: number;
}

const MAX_ROWS = 300;

export class PodTable {
  readonly #service: ServiceView;
  readonly #podQueries: PodQueries;
  readonly #lastChanges = new LastChanges();

  constructor(service: ServiceView, podQueries: PodQueries) {
    this.#service = service;
    this.#podQueries = podQueries;
  }

  /** The worst first. */
  async rows(): Promise<PodRows> {
    const findings = await this.#podQueries.findings();
    const first = findings.slice(0, MAX_ROWS);
    const [now, changes] = await Promise.all([this.#nowOf(first), this.#changesOf(first)]);
    return {
      rows: first.map((finding) => ({ finding, now: now.get(finding.id), lastChange: changes(finding) })),
      total: findings.length,
      failing: countOf(findings),
      watched: podScopes(this.#service.health().scopes).reduce((n, { objects }) => n + objects, 0),
    };
  }

  async #nowOf(findings: readonly Finding[]): Promise<ReadonlyMap<string, PodNow>> {
    const store = this.#service.store();
    const pods = store === undefined ? [] : await podsOf(store, findings);
    const byId = new Map(findings.map((finding) => [finding.id, finding]));
    const all = pods.flatMap((pod) =>
      [undefined, ...containerStatusesOf(pod)].map((container): [string, PodNow] => {
        const id = idOf(pod.metadata.uid ?? '', container?.name ?? '');
        return [id, { restarts: container?.restarts ?? 0, updatedAt: updatedAtOf(pod, container, byId.get(id)) }];
      }),
    );
    return new Map(all);
  }

  async #changesOf(findings: readonly Finding[]): Promise<(finding: Finding) => LastChange | undefined> {
    const store = this.#service.store();
    return store === undefined ? () => undefined : this.#lastChanges.of(store, findings);
  }
}

function countOf(findings: readonly Finding[]): PodRows['failing'] {
  const all = new Map(findings.map(({ uid, kind }) => [uid, kind])).values().toArray();
  const count = (failingKind: FailingKind) => all.filter((kind) => kind === failingKind).length;
  return { Pod: count('Pod'), Node: count('Node'), Job: count('Job') };
}
