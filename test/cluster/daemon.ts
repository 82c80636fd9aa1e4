/** A long-running program of a test: its output goes to a file, and it never outlives the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

const LAST_LINES = 15;

export class Daemon {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #logFile: string;
  readonly #kill = () => this.#child.kill('SIGKILL');

  /** Starts `file`; its stdout and stderr are appended to `NAME.log` in `logDir`, which is its home. */
  constructor(file: string, args: readonly string[], logDir: string, env: NodeJS.ProcessEnv = {}) {
    this.name = path.basename(file);
    this.#logFile = path.join(logDir, `${this.name}.log`);
    const log = openSync(this.#logFile, 'a');
    this.#child = spawn(file, args, { cwd: logDir, env: { HOME: logDir, ...env }, stdio: ['ignore', log, log] });
    closeSync(log);
    process.once('exit', this.#kill);
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Like `kill -9`. Resolves when the process is gone. */
  async kill(): Promise<void> {
    process.off('exit', this.#kill);
    if (!this.running) return;
    const gone = once(this.#child, 'exit');
    this.#kill();
    await gone;
  }

  /** The end of its output, for an error message. */
  async lastWords(): Promise<string> {
    const lines = (await readFile(this.#logFile, 'utf8')).trimEnd().split('\n');
    return lines.slice(-LAST_LINES).join('\n');
  }
}
