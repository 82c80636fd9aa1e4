/** What the handler leaves for later handlers in `change.notes.lasting`. */
export interface LastingNote {
  /** `lasts`: it has lasted long enough to be reported, and still does; `over`: it was reported before, and has ended now. */
  readonly status: 'lasts' | 'over';
  /** When it was first seen, RFC 3339. */
  readonly since: string;
  /** How long it has lasted, or had when it ended. */
  readonly durationMs: number;
}

declare module '../../src/change.ts' {
  interface Notes {
    readonly lasting: LastingNote;
  }
}

export function noteOf(status: LastingNote['status'], since: number, until: number): LastingNote {
  return { status, since: new Date(since).toISOString(), durationMs: Math.max(0, until - since) };
}
