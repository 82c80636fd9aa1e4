/** The handler with the state and the wake-ups that a chain would keep for it, and time that tests move. */
import assert from 'node:assert/strict';
import { isHalt, type Halt, type StatefulContext, type StatefulInstance } from '../chain/handler.ts';
import { keyOf, splitKey, type Change, type Manifest } from '../change.ts';
import type { Evidence } from '../enrich/evidence.ts';
import type { Json } from '../json.ts';
import { changeOf } from './change.ts';
import { podOf } from './failing-pods.ts';
import { testContext, testEnvironment } from './handler.ts';
import podAlerts from '../../handlers/podAlerts/index.ts';
import type { AlertNote } from '../../handlers/podAlerts/alert.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** When the pods of these tests were created. */
export const START = Date.UTC(2026, 0, 1);

/** So many minutes after {@link START}, as in a manifest. */
export const timeAt = (minutes: number): string => new Date(START + minutes * MINUTE).toISOString();

export class Rig {
  now = START;
  readonly states = new Map<string, Json>();
  readonly alerts: AlertNote[] = [];
  readonly passed: Change[] = [];
  /** Why changes halted, in order. */
  readonly halts: string[] = [];
  readonly held = new Map<string, Manifest>();
  readonly #instance: StatefulInstance<Json>;
  readonly #timers = new Map<string, { at: number; key: string }>();
  readonly #evidence: Partial<Evidence>;

  constructor(options: object = {}, evidence: Partial<Evidence> = {}) {
    if (podAlerts.type !== 'stateful') throw new Error('It keeps state');
    this.#instance = podAlerts.create(podAlerts.options.parse(options), testEnvironment());
    this.#evidence = evidence;
  }

  /** Updates the pod, node, job or Event to this manifest; its previous one becomes `before`. */
  async apply(after: Manifest, flags: Change['flags'] = {}, observedAt = this.now): Promise<void> {
    const key = `${after.kind}/${keyOf(after.metadata)}`;
    const before = this.held.get(key);
    this.held.set(key, after);
    await this.#dispatch(changeOf({ after, flags, observedAt, ...(before === undefined ? {} : { before }) }));
  }

  async delete(before: Manifest): Promise<void> {
    this.held.delete(`${before.kind}/${keyOf(before.metadata)}`);
    await this.#dispatch(changeOf({ before, observedAt: this.now }));
  }

  /** Moves time, and delivers the wake-ups that become due, in order. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      const [group, timer] = [...this.#timers].toSorted(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (group === undefined || timer === undefined || timer.at > end) break;
      this.#timers.delete(group);
      this.now = Math.max(this.now, timer.at);
      await this.#handle(timerOf(timer.key), group);
    }
    this.now = end;
  }

  /** The alerts so far, such as `new CrashLoopBackOff`, `over CrashLoopBackOff`; clears them. */
  takeAlerts(): string[] {
    return this.alerts.splice(0).map(({ why, reason }) => `${why} ${reason}`);
  }

  async #dispatch(change: Change): Promise<void> {
    const group = await this.#instance.group?.(change, this.#context());
    if (typeof group === 'string') await this.#handle(change, group);
    else if (isHalt(group)) this.halts.push(group.reason);
  }

  async #handle(change: Change, group: string): Promise<void> {
    const wakeAt: StatefulContext<Json>['wakeAt'] = (key, at) => {
      if (at === null) this.#timers.delete(group);
      else this.#timers.set(group, { at, key });
    };
    const isWakeUp = change.action === 'timer';
    const more = { state: this.states.get(group), now: this.now, isWakeUp, mayBeDelivered: false, wakeAt };
    const context = { ...this.#context(), ...more };
    const { verdict, state } = await this.#instance.handle(change, context);
    // Like the store: what is not JSON is lost.
    if (state === null) this.states.delete(group);
    else this.states.set(group, JSON.parse(JSON.stringify(state)) as Json);
    this.#record(verdict);
  }

  #record(verdict: Change | Halt): void {
    if (isHalt(verdict)) return void this.halts.push(verdict.reason);
    if (verdict.notes.alert === undefined) throw new Error('A change passed without an alert');
    this.passed.push(verdict);
    this.alerts.push(verdict.notes.alert);
  }

  #context() {
    const { evidence } = testContext();
    const held: Evidence['held'] = (_, resource, key) =>
      Promise.resolve(this.held.get(`${KINDS[resource] ?? ''}/${key}`));
    return testContext({ evidence: { ...evidence, held, ...this.#evidence } });
  }
}

/** Shows a running pod, which causes no alert. */
export async function showRunning(rig: Rig, pod: Manifest = podOf()): Promise<void> {
  await rig.apply(pod);
  assert.deepEqual(rig.takeAlerts(), []);
}

const KINDS: Readonly<Record<string, string>> = { pods: 'Pod', nodes: 'Node', jobs: 'Job', deployments: 'Deployment' };

/** As made by the store, which knows only the object's name. */
function timerOf(key: string): Change {
  const { namespace, name } = splitKey(key);
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  const change = changeOf({ after: { apiVersion: 'v1', kind: 'Pod', metadata } });
  return { ...change, action: 'timer', after: undefined, before: undefined };
}
