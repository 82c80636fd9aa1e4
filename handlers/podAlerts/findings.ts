/** What is found out for an alert: the last changes of the workload, the Events of the pod, the end of the log. Never fails. */
import { keyOf, splitKey, type Change, type Manifest } from '../../src/change.ts';
import type { Evidence } from '../../src/enrich/evidence.ts';
import { uidInEvents } from '../../src/enrich/involved.ts';
import { withDifference } from '../diff/difference.ts';
import { writersOf } from '../../src/change/remarks.ts';
import { headlineOf } from '../../src/template/headline.ts';
import type { Findings, LastChange } from './alert.ts';
import { NOT_READY } from './classify.ts';
import type { Options } from './options.ts';
import type { Owner } from './owner.ts';
import { containersOf } from './pod.ts';
import type { KnownProblem } from './state.ts';
import { rows, text } from './read.ts';

/** An older change is unlikely to be the cause. */
const LOOK_BACK_MS = 24 * 3_600_000;
/** Read per object; most are changes of its status, of which a pod that keeps losing readiness causes hundreds a day. */
const CHANGES_READ = 500;
const CHANGES_READ_AT_ONCE = 20;
const MAX_CONFIGURATIONS = 10;

export interface Search {
  readonly owner: Owner;
  /** `namespace/name` of the pod or job; for a node its name. */
  readonly pod: string;
  readonly uid: string;
  readonly lead: KnownProblem;
  /** If it is known. */
  readonly manifest: Manifest | undefined;
  readonly since: number;
}

type FindingLimits = Pick<Options, 'logLines' | 'events' | 'lastChanges'>;

export async function findingsOn(
  search: Search,
  limits: FindingLimits,
  evidence: Evidence,
  signal: AbortSignal,
): Promise<Findings> {
  const [lastChanges, events, log] = await Promise.all([
    lastChangesOf(search, limits.lastChanges, evidence),
    eventsOf(search, limits.events, evidence, signal),
    logOf(search, limits.logLines, evidence, signal),
  ]);
  return { lastChanges, events, log };
}

export const NOTHING_FOUND: Findings = { lastChanges: [], events: [], log: undefined };

function eventsOf(
  { pod, uid, manifest }: Search,
  limit: number,
  evidence: Evidence,
  signal: AbortSignal,
): Promise<Findings['events']> {
  const { namespace } = splitKey(pod);
  if (limit === 0 || namespace === undefined) return Promise.resolve([]);
  return evidence.eventsOf({ namespace, uid: uidInEvents(manifest?.metadata) ?? uid }, limit, signal);
}

/** The log of the container that ended, or that runs without being ready; undefined if it never ran. */
async function logOf(
  { pod, lead, manifest }: Search,
  lines: number,
  evidence: Evidence,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { namespace, name } = splitKey(pod);
  const container =
    manifest === undefined ? undefined : containersOf(manifest).find((one) => one.name === lead.container);
  if (lines === 0 || namespace === undefined || container === undefined) return undefined;
  const isCurrent = container.terminated !== undefined || (lead.reason === NOT_READY && container.state === 'running');
  if (!isCurrent && container.last === undefined) return undefined;
  return evidence.logTail({ namespace, pod: name, container: container.name, previous: !isCurrent, lines }, signal);
}

async function lastChangesOf(
  { owner, manifest, since }: Search,
  limit: number,
  evidence: Evidence,
): Promise<readonly LastChange[]> {
  if (limit === 0) return [];
  const { namespace } = owner;
  const own = { key: keyOf(owner), kind: undefined };
  const named =
    manifest === undefined
      ? []
      : configurationsOf(manifest).map(({ kind, name }) => ({ key: keyOf({ namespace, name }), kind }));
  const range = { since: since - LOOK_BACK_MS, limit };
  const found = await Promise.all([own, ...named].map((place) => changesOf({ ...place, ...range }, evidence)));
  const byId = new Map(found.flat().map((change) => [change.id, change]));
  return [...byId.values()].toSorted((a, b) => b.id - a.id).slice(0, limit);
}

interface ChangeQuery {
  readonly key: string;
  /** Undefined: any kind that is not in {@link CONSEQUENCES}. */
  readonly kind: string | undefined;
  readonly since: number;
  readonly limit: number;
}

/** The newest first: at least `limit`, if there are that many. */
async function changesOf({ key, kind, since, limit }: ChangeQuery, evidence: Evidence): Promise<readonly LastChange[]> {
  const query = { key, since, newestFirst: true, limit: CHANGES_READ_AT_ONCE };
  const found: LastChange[] = [];
  let beforeId = Number.MAX_SAFE_INTEGER;
  for (let read = 0; read < CHANGES_READ && found.length < limit; read += CHANGES_READ_AT_ONCE) {
    const changes = await evidence.history({ ...query, beforeId });
    const relevant = changes.filter(({ gvk }) =>
      kind === undefined ? !CONSEQUENCES.has(gvk.kind) : gvk.kind === kind,
    );
    found.push(...relevant.flatMap(lastChangeOf));
    const last = changes.at(-1);
    if (last === undefined || changes.length < CHANGES_READ_AT_ONCE) break;
    beforeId = last.id;
  }
  return found;
}

/** Kinds whose changes are only consequences of others. */
const CONSEQUENCES: ReadonlySet<string> = new Set(['Pod', 'Event', 'Endpoints', 'EndpointSlice', 'Node']);

/** Empty if only the status, or what counts as noise, has changed. */
function lastChangeOf(change: Change): readonly LastChange[] {
  const compared = withDifference(change);
  if (compared.action === 'updated' && compared.notes.diff === undefined) return [];
  const by = writersOf(compared);
  return [{ id: compared.id, headline: headlineOf(compared), by, time: new Date(compared.observedAt).toISOString() }];
}

interface Configuration {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
}

/** The objects that its containers get their environment and files from. */
function configurationsOf(pod: Manifest): readonly Configuration[] {
  const named = (kind: Configuration['kind'], name: string | undefined): Configuration[] =>
    name === undefined ? [] : [{ kind, name }];
  const volumes = rows(pod, 'spec', 'volumes').flatMap((volume) => [
    ...named('ConfigMap', text(volume, 'configMap', 'name')),
    ...named('Secret', text(volume, 'secret', 'secretName')),
    ...rows(volume, 'projected', 'sources').flatMap((source) => [
      ...named('ConfigMap', text(source, 'configMap', 'name')),
      ...named('Secret', text(source, 'secret', 'name')),
    ]),
  ]);
  const containers = [...rows(pod, 'spec', 'initContainers'), ...rows(pod, 'spec', 'containers')];
  const sources = containers.flatMap((container) => [
    ...rows(container, 'envFrom').flatMap((from) => [
      ...named('ConfigMap', text(from, 'configMapRef', 'name')),
      ...named('Secret', text(from, 'secretRef', 'name')),
    ]),
    ...rows(container, 'env').flatMap((one) => [
      ...named('ConfigMap', text(one, 'valueFrom', 'configMapKeyRef', 'name')),
      ...named('Secret', text(one, 'valueFrom', 'secretKeyRef', 'name')),
    ]),
  ]);
  const unique = new Map([...volumes, ...sources].map((one) => [`${one.kind}/${one.name}`, one]));
  // Every pod mounts this one, and nobody changes it by hand.
  unique.delete('ConfigMap/kube-root-ca.crt');
  return [...unique.values()].slice(0, MAX_CONFIGURATIONS);
}
