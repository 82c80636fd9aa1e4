/**
 * Which fields count. A mask is walked alongside the manifest, one step per field, so that a path costs nothing outside its own
 * branch: {@link KEEP} and {@link SKIP} settle a whole subtree, and only the way down to a pattern is examined.
 */
import { matchesGlob } from '../../src/text/glob.ts';

/** Everything from here on counts. */
export const KEEP = 'keep';
/** Nothing from here on counts. */
export const SKIP = 'skip';
export type Mask = typeof KEEP | typeof SKIP | MaskNode;

/** Whether nothing counts at this level itself, only what `only` names further down. */
export function isPending(mask: Mask): boolean {
  return typeof mask !== 'string' && mask.pending;
}

/** The mask of a field or item inside what `mask` covers. */
export function below(mask: Mask, key: string): Mask {
  return typeof mask === 'string' ? mask : mask.child(key);
}

/** Steps of a path; `*` in a step stands for any characters, `**` as a step for any number of steps. */
export type Pattern = readonly string[];

/** `ignore` wins over `only`; without `only` everything counts that is not ignored. */
export function compileMask(ignore: readonly Pattern[], only: readonly Pattern[] = []): Mask {
  let id = 0;
  const begin = (rule: State['rule']) => (pattern: Pattern) => {
    // `spec.**` is the same as `spec`: a match includes everything inside it.
    const last = pattern.findLastIndex((segment) => segment !== '**');
    let next: State | undefined;
    for (const segment of pattern.slice(0, last + 1).toReversed()) next = { id: id++, rule, segment, next };
    return next === undefined ? [] : expandGlobstar(next);
  };
  return settle(new Map(), [...ignore.flatMap(begin('ignore')), ...only.flatMap(begin('only'))], only.length === 0);
}

/** A pattern of which the steps before `segment` have matched. */
interface State {
  readonly id: number;
  readonly rule: 'ignore' | 'only';
  readonly segment: string;
  /** Undefined if the pattern has matched after this segment. */
  readonly next: State | undefined;
}

/** By the ids of their states: `**` leads back to nodes already visited. */
type Nodes = Map<string, MaskNode>;

/** `**` may stand for nothing, so a state that waits for it also waits for what follows it. */
function expandGlobstar(state: State): State[] {
  return state.segment === '**' && state.next !== undefined ? [state, ...expandGlobstar(state.next)] : [state];
}

/** @param isIncluded there is no `only`, or one of its patterns has matched here or above */
function settle(nodes: Nodes, states: readonly State[], isIncluded: boolean): Mask {
  const open = isIncluded ? states.filter((state) => state.rule === 'ignore') : states;
  if (isIncluded && open.length === 0) return KEEP;
  if (!isIncluded && open.every((state) => state.rule === 'ignore')) return SKIP;
  const id = `${open.map((state) => state.id).join()}${isIncluded ? '+' : ''}`;
  const known = nodes.get(id);
  if (known !== undefined) return known;
  const node = new MaskNode(nodes, open, isIncluded);
  nodes.set(id, node);
  return node;
}

/** Some patterns lead further down from here. */
class MaskNode {
  /** See {@link isPending}. */
  readonly pending: boolean;
  readonly #nodes: Nodes;
  readonly #states: readonly State[];
  /** For the keys that the patterns spell out; undefined until first used. */
  readonly #named = new Map<string, Mask | undefined>();
  readonly #hasWildcards: boolean;
  #others: Mask | undefined;

  constructor(nodes: Nodes, states: readonly State[], isIncluded: boolean) {
    this.#nodes = nodes;
    this.#states = states;
    this.pending = !isIncluded;
    for (const { segment } of states) if (!segment.includes('*')) this.#named.set(segment, undefined);
    this.#hasWildcards = states.some(({ segment }) => segment.includes('*'));
  }

  /** See {@link below}. */
  child(key: string): Mask {
    if (this.#named.has(key)) {
      const known = this.#named.get(key) ?? this.#advance(key);
      this.#named.set(key, known);
      return known;
    }
    // Keys come from the cluster: remembering an answer for each would grow without bound.
    if (this.#hasWildcards) return this.#advance(key);
    return (this.#others ??= this.#advance(key));
  }

  #advance(key: string): Mask {
    const states = new Set<State>();
    let isIncluded = !this.pending;
    for (const state of this.#states) {
      if (state.segment !== '**' && !matchesGlob(state.segment, key)) continue;
      const next = state.segment === '**' ? state : state.next;
      if (next !== undefined) for (const one of expandGlobstar(next)) states.add(one);
      else if (state.rule === 'ignore') return SKIP;
      else isIncluded = true;
    }
    return settle(this.#nodes, [...states], isIncluded);
  }
}
