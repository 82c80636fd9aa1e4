/** What a subject, a measured process, reports to the benchmark. */
import { readdirSync, readlinkSync } from 'node:fs';

/** Sent by the benchmark. */
export type Question =
  /** Answered when this many events have been counted since the start. */
  | { readonly ask: 'reached'; readonly events: number }
  /** Answered at once. */
  | { readonly ask: 'usage' }
  /** Answered when the subject has nothing left to do. */
  | { readonly ask: 'idle' };

/** `ready` is sent once, unasked; the others answer the question of the same name. */
export interface Answer {
  readonly to: Question['ask'] | 'ready';
  readonly usage: Usage;
}

/** Of the whole process, with all threads, since its start. */
export interface Usage {
  readonly events: number;
  /** User and system time. */
  readonly cpuMs: number;
  /** Since the epoch. */
  readonly atMs: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  /** Open sockets, including that to the API server. */
  readonly sockets: number;
  /** What the subject measured itself. */
  readonly own: Readonly<Record<string, number>>;
}

export interface ReportOptions {
  /** Resolves when nothing is left to do. Default: at once. */
  readonly idle?: () => Promise<void>;
  /** Figures for {@link Usage.own}. */
  readonly own?: () => Readonly<Record<string, number>>;
}

/** The subject's end of the channel. The process ends with the benchmark. */
export class Report {
  readonly #options: ReportOptions;
  #events = 0;
  #targetEvents = Infinity;

  constructor(options: ReportOptions = {}) {
    this.#options = options;
    process.on('message', (question: Question) => this.#answer(question));
    process.on('disconnect', () => process.exit());
  }

  /** The subject has started, and waits for work. */
  ready(): void {
    this.#send('ready');
  }

  /** Counts processed events. */
  done(events = 1): void {
    this.#events += events;
    if (this.#events >= this.#targetEvents) this.#reached();
  }

  #answer(question: Question): void {
    switch (question.ask) {
      case 'usage':
        return this.#send('usage');
      case 'idle':
        return void (this.#options.idle?.() ?? Promise.resolve()).then(() => this.#send('idle'));
      case 'reached':
        this.#targetEvents = question.events;
        if (this.#events >= this.#targetEvents) this.#reached();
    }
  }

  #reached(): void {
    this.#targetEvents = Infinity;
    this.#send('reached');
  }

  #send(to: Answer['to']): void {
    const { user, system } = process.cpuUsage();
    const usage: Usage = {
      events: this.#events,
      cpuMs: (user + system) / 1_000,
      atMs: performance.timeOrigin + performance.now(),
      rssBytes: process.memoryUsage.rss(),
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      sockets: openSockets(),
      own: this.#options.own?.() ?? {},
    };
    if (process.connected) process.send?.({ to, usage } satisfies Answer);
  }
}

/** From Linux's own list; elsewhere 0. */
function openSockets(): number {
  const folder = '/proc/self/fd';
  try {
    return readdirSync(folder).filter((fd) => isSocket(`${folder}/${fd}`)).length;
  } catch {
    return 0;
  }
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:');
  } catch {
    // The descriptor that read the folder is closed by now.
    return false;
  }
}
