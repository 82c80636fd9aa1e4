/** Answers questions about pods, from the state of `podAlerts`, the watched pods, and the alerts already read. */
import type { Manifest } from '../../change.ts';
import type { Config, WebConfig } from '../../config/config.ts';
import { uidInEvents } from '../../enrich/involved.ts';
import { toError } from '../../errors.ts';
import type { JsonObject } from '../../json.ts';
import { requestNamespaceOf, coversNamespace } from '../../namespaces.ts';
import type { Store } from '../../store/store.ts';
import { rulesOf } from '../../../handlers/podAlerts/options.ts';
import type { ServiceView } from '../service-view.ts';
import { Acknowledged } from './acknowledged.ts';
import { findingsOf, inOrder, watchersIn, type Finding, type Findings } from './findings.ts';
import { fetchEvents } from './events.ts';
import { podNamed, podScopes, podsIn, podsOf } from './pod-store.ts';
import { entriesOf, localTimeIn, withLocalTime, type LocalTime, type PodEntry } from './shapes.ts';

/** pod-watcher's own defaults, if no `podAlerts` is configured. */
const DEFAULT_THRESHOLD = 5;
const DEFAULT_WINDOW_MS = 240 * 60_000;
/** How many pods' Events are fetched at once. */
const AT_ONCE = 8;

export interface Turn {
  /** Marks these as read as of the turn's beginning: what happened to them since is unread. */
  end(ids: readonly string[]): void;
}

export class PodQueries {
  readonly local: LocalTime;
  readonly #service: ServiceView;
  readonly #settings: WebConfig['podWatcher'];
  #acknowledged: { readonly store: Store; readonly them: Acknowledged } | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(service: ServiceView, { podWatcher }: WebConfig) {
    this.#service = service;
    this.#settings = podWatcher;
    this.local = localTimeIn(podWatcher.timeZone);
  }

  /** Whether any `podAlerts` is configured. */
  get isWatching(): boolean {
    return watchersIn(this.#config.chains).length > 0;
  }

  /** All current problems, the worst first. */
  async findings(): Promise<readonly Finding[]> {
    const found = await this.#findings();
    return inOrder([...found.values()].filter(({ status }) => status !== 'None'));
  }

  /** All current problems of pods, with data from their manifests. */
  async problems(): Promise<readonly PodEntry[]> {
    return this.#entries((status) => status !== 'None');
  }

  async unread(): Promise<readonly PodEntry[]> {
    return this.#entries((status) => status === 'Warning' || status === 'Failure');
  }

  /** Returns the ids of current alerts among `ids`. @param at when they were looked at, milliseconds since the epoch */
  async acknowledge(ids: readonly string[], at = this.#service.clock.now()): Promise<readonly string[]> {
    const store = this.#service.store();
    if (store === undefined) return [];
    const current = await this.#findings();
    const known = ids.filter((id) => (current.get(id)?.status ?? 'None') !== 'None');
    await this.#readTimes(store).add(known, at, new Set(current.keys()));
    return known;
  }

  /** Waits for the turn of this reader: by then, everything that earlier readers got is marked as read. */
  async turn(): Promise<Turn> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    const at = this.#service.clock.now();
    const end = async (ids: readonly string[]): Promise<void> => {
      try {
        if (ids.length > 0) await this.acknowledge(ids, at);
      } finally {
        resolve();
      }
    };
    return {
      end: (ids) => {
        end(ids).catch((thrown: unknown) => {
          this.#service.log.warn('Cannot mark alerts as read', { problem: toError(thrown).message });
        });
      },
    };
  }

  /** `/status`. */
  async status(): Promise<object> {
    const store = this.#service.store();
    const findings = await this.#findings();
    const namespaces = new Map<string, PodEntry[]>();
    for (const scope of podScopes(this.#service.health().scopes))
      if (requestNamespaceOf(scope.namespace) !== '') namespaces.set(scope.namespace, []);
    if (store !== undefined) {
      for await (const pod of podsIn(store, '')) {
        const { namespace = '' } = pod.metadata;
        const pods = namespaces.get(namespace) ?? [];
        pods.push(...this.#entriesOf(pod, findings));
        namespaces.set(namespace, pods);
      }
    }
    return {
      config: this.#statusConfig(),
      namespaces: [...namespaces].map(([namespace, pods]) => ({ namespace, pods, ...this.#freshness(namespace) })),
    };
  }

  /** Adds the Events of each pod, if configured. Alerts are returned even if their Events cannot be fetched. */
  async withEvents(entries: readonly PodEntry[]): Promise<readonly object[]> {
    if (!this.#settings.includeEvents) return entries;
    const answers: object[] = [];
    for (let from = 0; from < entries.length; from += AT_ONCE) {
      const some = entries.slice(from, from + AT_ONCE);
      answers.push(
        ...(await Promise.all(some.map(async (entry) => ({ ...entry, Events: await this.#eventsOf(entry) })))),
      );
    }
    return answers;
  }

  async #eventsOf({ id, namespace, podLongName }: PodEntry): Promise<readonly JsonObject[]> {
    const store = this.#service.store();
    const found = store === undefined ? undefined : await podNamed(store, namespace, podLongName);
    const known = id.slice(0, id.indexOf('/'));
    const uid = found?.metadata.uid === known ? uidInEvents(found.metadata) : known;
    const query = { namespace, pod: podLongName, uid };
    const result = await fetchEvents(this.#service.api(), query, this.#config.redact);
    return 'problem' in result ? [] : result.events.map((event) => withLocalTime(event, this.local));
  }

  async #entries(matches: (status: Finding['status']) => boolean): Promise<readonly PodEntry[]> {
    const store = this.#service.store();
    if (store === undefined) return [];
    const findings = await this.#findings();
    const selected = inOrder([...findings.values()].filter(({ status, kind }) => kind === 'Pod' && matches(status)));
    const pods = await podsOf(store, selected);
    const entries = new Map(pods.flatMap((pod) => this.#entriesOf(pod, findings)).map((entry) => [entry.id, entry]));
    return selected.flatMap(({ id }) => entries.get(id) ?? []);
  }

  #entriesOf(pod: Manifest, findings: Findings): readonly PodEntry[] {
    return entriesOf(pod, findings, this.local);
  }

  async #findings(): Promise<Findings> {
    const store = this.#service.store();
    if (store === undefined) return new Map();
    const read = await this.#readTimes(store).times();
    return findingsOf(store, watchersIn(this.#config.chains), { now: this.#service.clock.now(), read });
  }

  #readTimes(store: Store): Acknowledged {
    if (this.#acknowledged?.store !== store) this.#acknowledged = { store, them: new Acknowledged(store) };
    return this.#acknowledged.them;
  }

  get #config(): Config {
    return this.#service.config();
  }

  #statusConfig(): object {
    const { host, namespace, pageRefreshSeconds } = this.#settings;
    const [watcher] = watchersIn(this.#config.chains);
    const rule = watcher === undefined ? undefined : rulesOf(watcher.options).restarts;
    return {
      ...(host === undefined ? {} : { host }),
      ...(namespace === undefined ? {} : { namespace }),
      pageRefreshSeconds,
      timeframe: Math.round((rule?.windowMs ?? DEFAULT_WINDOW_MS) / 60_000),
      threshold: rule?.threshold ?? DEFAULT_THRESHOLD,
    };
  }

  /** When the scope that covers the namespace last heard from the cluster, and what is wrong with it. */
  #freshness(namespace: string): object {
    const scope = podScopes(this.#service.health().scopes).find((one) => coversNamespace(one.namespace, namespace));
    if (scope === undefined) return {};
    const { state, problem, lastHeardAt } = scope;
    return {
      watch: state,
      ...(problem === undefined ? {} : { problem }),
      ...(lastHeardAt === undefined ? {} : { lastHeardAt: new Date(lastHeardAt).toISOString() }),
    };
  }
}
