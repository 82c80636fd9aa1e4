/** What every command gets and returns. */

/** Everything that a command uses of its environment. */
export interface CommandIo {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal;
  /** Called when a service has stopped: the process has to end, even if something still runs or nobody reads the output. */
  readonly onStopped?: () => void;
}

/** Stopped as asked; configuration or startup failure; unknown flag or command. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** A command resolves to its exit code; what it throws is explained here. */
export type Action = () => Promise<number>;

/** Whether the stream shows colours, and its reader wants them: https://no-color.org */
export function takesColor(stream: CommandIo['stderr'], env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}
