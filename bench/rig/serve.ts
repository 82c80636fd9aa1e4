/**
 * The embedded API server in its own process, so that its work is not measured: prints `{"url": ...}`, then takes one
 * JSON command per line on stdin and answers each with one line, in order. It ends with its stdin.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Manifest } from '../../src/change.ts';
import { startApiServer } from '../../src/testing/api-server.ts';
import { kubeletEvent } from './kubelet-events.ts';
import { deployment, pod, withImage, withNoise } from '../../src/testing/pods.ts';

/** A command on a line of stdin. */
export type ServeCommand =
  /** Adds (or resets) objects number 0 to `count - 1`. */
  | { readonly command: 'preload'; readonly kind: 'pod' | 'deployment'; readonly count: number }
  /**
   * Updates preloaded objects in turn, `count` times: `noise` (heartbeats in status and managedFields) or `image`; or adds as
   * many new Events. At full speed, or evenly at `perSecond`. Answers when the last one is written.
   */
  | ({
      readonly command: 'push';
      readonly count: number;
      readonly perSecond?: number;
    } & ({ readonly what: 'noise' | 'image'; readonly kind: 'pod' | 'deployment' } | { readonly what: 'events' }))
  /** Answers when `n` watches are open. */
  | { readonly command: 'watches'; readonly n: number }
  | { readonly command: 'kubeconfig'; readonly path: string };

/** The answer to a command. `atMs`: milliseconds since the epoch of each write, for a push at a rate. */
export interface ServeAnswer {
  readonly done: ServeCommand['command'];
  /** The duration of the command itself. */
  readonly ms: number;
  /** The last resourceVersion. */
  readonly resourceVersion: string;
  readonly atMs?: readonly number[];
}

const GENERATORS = { pod, deployment } as const;

const server = await startApiServer();
const objects: Record<keyof typeof GENERATORS, Manifest[]> = { pod: [], deployment: [] };
let resourceVersion = '';
/** Makes each update differ from the one before it. */
let round = 0;
let events = 0;

process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as ServeCommand;
  const startedAt = performance.now();
  const atMs = await run(command);
  const answer: ServeAnswer = {
    done: command.command,
    ms: performance.now() - startedAt,
    resourceVersion,
    ...(atMs === undefined ? {} : { atMs }),
  };
  if (!process.stdout.write(`${JSON.stringify(answer)}\n`)) await once(process.stdout, 'drain');
}
await server.close();

async function run(command: ServeCommand): Promise<readonly number[] | undefined> {
  switch (command.command) {
    case 'preload':
      objects[command.kind] = Array.from({ length: command.count }, (_, n) => GENERATORS[command.kind](n));
      resourceVersion = server.putAll(objects[command.kind]);
      return undefined;
    case 'push':
      return push(command);
    case 'watches':
      await server.waitForWatches(command.n);
      return undefined;
    case 'kubeconfig':
      await server.writeKubeconfig(command.path);
      return undefined;
  }
}

async function push(command: Extract<ServeCommand, { command: 'push' }>): Promise<readonly number[] | undefined> {
  const { perSecond } = command;
  // Made before the first is written, so that making them does not slow down a push at full speed.
  const updates = command.what === 'events' ? newEvents(command.count) : updated(command);
  if (perSecond === undefined) {
    // All at once: the server's sockets buffer what a reader has not taken yet.
    resourceVersion = server.putAll(updates);
    return undefined;
  }
  const startMs = performance.now();
  const atMs: number[] = [];
  for (const [n, update] of updates.entries()) {
    await delay(Math.max(0, startMs + (n * 1_000) / perSecond - performance.now()));
    atMs.push(Date.now());
    resourceVersion = server.putAll([update]);
  }
  return atMs;
}

function newEvents(count: number): Manifest[] {
  return Array.from({ length: count }, () => kubeletEvent(events++));
}

function updated({ what, kind, count }: Extract<ServeCommand, { what: 'noise' | 'image' }>): Manifest[] {
  const preloaded = objects[kind];
  round++;
  return Array.from({ length: count }, (_, n) => {
    const at = n % preloaded.length;
    const before = preloaded[at];
    if (before === undefined) throw new Error(`Cannot push ${kind}: none is preloaded`);
    const turn = round * 1_000_000 + n;
    const after = what === 'noise' ? withNoise(before, turn % 3_600) : withImage(before, `2.15.${turn}`);
    preloaded[at] = after;
    return after;
  });
}
