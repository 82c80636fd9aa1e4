/** What every command is given, and what it answers. */

/** Everything a command touches of the world. */
export interface CommandIo {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal;
  /** Called when a service has stopped: whatever goes on by itself has to end, though nobody reads what was printed. */
  readonly onStopped?: () => void;
}

/** Stopped as asked; configuration or start; unknown flag or command. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** A command answers its exit code; what it throws is explained here. */
export type Action = () => Promise<number>;

/** Whether it shows colours, and whoever reads it wants them: https://no-color.org */
export function takesColor(stream: CommandIo['stderr'], env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}
