/** Scripted faults: which requests they affect, how often, and how. */

export interface FaultMatch {
  readonly method?: string;
  /** The whole path, or a pattern for it. Default: any. */
  readonly path?: string | RegExp;
  /** Only watches, or all but watches. Default: both. */
  readonly watch?: boolean;
  /** How many matching requests, or events of matching watches, pass before the fault begins. Default 0. */
  readonly skip?: number;
  /** How often it happens. Default: until it is removed. */
  readonly times?: number;
}

/** What happens to an answer, or instead of it. */
export type AnswerEffect =
  /** A `Status`, by default worded like the server's. */
  | {
      readonly effect: 'status';
      readonly status: number;
      readonly reason?: string;
      readonly message?: string;
      readonly retryAfterSeconds?: number;
    }
  /** A TCP reset before any byte of the answer. */
  | { readonly effect: 'reset' }
  /** Accepted, never answered. */
  | { readonly effect: 'hang' }
  /** Status 200 with the content type JSON, and no body. */
  | { readonly effect: 'hangAfterHeaders' }
  /** The answer comes `ms` later. */
  | { readonly effect: 'delay'; readonly ms: number }
  /** Half of the body, then a clean end. */
  | { readonly effect: 'truncate' }
  /** Status 200 with another content type, and another body if given. */
  | { readonly effect: 'contentType'; readonly contentType: string; readonly body?: string };

/** What happens to a watch: one that is open at the next opportunity, else the next that opens. `skip` counts its events. */
export type StreamEffect =
  /** The next event is cut in the middle: then a TCP reset, or a clean end of the body. */
  | { readonly effect: 'resetMidLine' }
  | { readonly effect: 'endMidLine' }
  /** A chunk that ends before its announced size, or one whose size is not a number. */
  | { readonly effect: 'truncatedChunk' }
  | { readonly effect: 'badChunkSize' }
  /** The connection stays open and silent. */
  | { readonly effect: 'stall' }
  /** A clean end between two lines. */
  | { readonly effect: 'end' }
  /** An ERROR event with a `Status`, then the end. */
  | { readonly effect: 'errorEvent'; readonly status: number; readonly reason?: string; readonly message?: string }
  /** A given line, before the next event. */
  | { readonly effect: 'line'; readonly line: string }
  /** The next event comes twice. */
  | { readonly effect: 'duplicate' };

export type Fault = FaultMatch & (AnswerEffect | StreamEffect);

export interface FaultHandle {
  readonly hits: number;
  remove(): void;
}

export interface FaultTarget {
  readonly method: string;
  readonly path: string;
  readonly watch: boolean;
}

const STREAM_EFFECTS: ReadonlySet<string> = new Set<StreamEffect['effect']>([
  'resetMidLine',
  'endMidLine',
  'truncatedChunk',
  'badChunkSize',
  'stall',
  'end',
  'errorEvent',
  'line',
  'duplicate',
]);

/** Effects that need an event. */
const NEEDS_EVENT: ReadonlySet<string> = new Set<StreamEffect['effect']>([
  'resetMidLine',
  'endMidLine',
  'truncatedChunk',
  'duplicate',
]);

class ActiveFault implements FaultHandle {
  readonly fault: Fault;
  hits = 0;
  #toSkip: number;
  #active = true;

  constructor(fault: Fault) {
    this.fault = fault;
    this.#toSkip = fault.skip ?? 0;
  }

  remove(): void {
    this.#active = false;
  }

  get over(): boolean {
    return !this.#active || this.hits >= (this.fault.times ?? Infinity);
  }

  matches({ method, path, watch }: FaultTarget): boolean {
    const { fault } = this;
    const pathMatches =
      fault.path === undefined || (typeof fault.path === 'string' ? fault.path === path : fault.path.test(path));
    return pathMatches && (fault.method ?? method) === method && (fault.watch ?? watch) === watch;
  }

  /** Counts a matching opportunity, and returns whether the fault happens now. */
  take(): boolean {
    if (this.over) return false;
    if (this.#toSkip > 0) {
      this.#toSkip--;
      return false;
    }
    this.hits++;
    return true;
  }

  get skipping(): boolean {
    return this.#toSkip > 0;
  }
}

/** The faults of one server, in the order in which they were added; the first that matches applies. */
export class Faults {
  #faults: ActiveFault[] = [];

  add(fault: Fault): FaultHandle {
    const active = new ActiveFault(fault);
    this.#faults.push(active);
    return active;
  }

  /** What happens to a request. */
  forRequest(target: FaultTarget): AnswerEffect | undefined {
    const hit = this.#live().find(
      ({ fault }, at, all) => !isStream(fault) && all[at]?.matches(target) && all[at].take(),
    );
    return hit?.fault as AnswerEffect | undefined;
  }

  /**
   * What happens to an open watch.
   * @param beforeEvent an event is about to be sent; otherwise only faults that need none apply.
   */
  forStream(target: FaultTarget, beforeEvent: boolean): StreamEffect | undefined {
    const fits = (active: ActiveFault): boolean =>
      isStream(active.fault) &&
      active.matches(target) &&
      (beforeEvent || !(NEEDS_EVENT.has(active.fault.effect) || active.skipping)) &&
      active.take();
    return this.#live().find(fits)?.fault as StreamEffect | undefined;
  }

  #live(): readonly ActiveFault[] {
    if (this.#faults.length > 0) this.#faults = this.#faults.filter((active) => !active.over);
    return this.#faults;
  }
}

const isStream = (fault: Fault): boolean => STREAM_EFFECTS.has(fault.effect);
