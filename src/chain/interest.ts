/** What a chain reads of its resources, according to its handlers. */
import type { ChainConfig, HandlerConfig } from '../config/config.ts';
import { EVERYTHING, unionOfInterests, type Interest } from '../interest.ts';

/**
 * The fields that can make a difference to what this chain does. Sinks and stateful handlers see each change that reaches
 * them, so what they read counts; a transform only decides what comes after it. A gate halts every update outside what
 * it reads, so nothing behind it counts, including branches. Without a gate the branches decide; without those either,
 * the chain reports every update: everything is read.
 */
export function interestOf({ handlers, branches }: Pick<ChainConfig, 'handlers' | 'branches'>): Interest {
  const gate = handlers.findIndex(({ definition }) => definition.type === 'transform' && definition.gate === true);
  if (gate === -1 && branches.length === 0) return EVERYTHING;
  const reached = gate === -1 ? handlers : handlers.slice(0, gate);
  const readers = reached.filter(({ definition }) => definition.type !== 'transform');
  const behind = gate === -1 ? branches.map(interestOf) : handlers.slice(gate, gate + 1).map(readsOf);
  return unionOfInterests([...readers.map(readsOf), ...behind]);
}

/** Complaints about handlers that never act, behind a gate that halts what they depend on: `config.toml:12: podAlerts ...`. */
export function starvedHandlers(
  { handlers, branches }: Pick<ChainConfig, 'handlers' | 'branches'>,
  outer: readonly HandlerConfig[] = [],
): readonly string[] {
  const all = [...outer, ...handlers];
  const ownProblems = handlers.flatMap((handler, n) => {
    const { at, definition, options } = handler;
    const needs = definition.type === 'stateful' ? (definition.needs?.(options) ?? []) : [];
    const gate = all.slice(0, outer.length + n).find((before) => needs.some((root) => excludes(before, root)));
    if (gate === undefined) return [];
    const missing = needs.filter((root) => excludes(gate, root)).join(', ');
    return `${at}: "${definition.name}" would never do anything: it needs changes of ${missing}, which "${gate.definition.name}" (${gate.at}) halts first: put it before that handler, or in a [[chain]] of its own`;
  });
  return [...ownProblems, ...branches.flatMap((branch) => starvedHandlers(branch, all))];
}

function excludes(handler: HandlerConfig, root: string): boolean {
  const { definition } = handler;
  return definition.type === 'transform' && definition.gate === true && readsOf(handler).except.includes(root);
}

function readsOf({ definition, options }: HandlerConfig): Interest {
  return definition.reads?.(options) ?? EVERYTHING;
}
