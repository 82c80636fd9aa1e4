/** A chain and its branches, run as one. */
import type { ChainConfig } from '../config/config.ts';
import { createChainRunner, type ChainRunner, type ChainRunnerOptions } from './runner.ts';

export interface ChainTreeOptions extends ChainRunnerOptions {
  /**
   * Branches take work only in {@link ChainRunner.idle}, one after the other: for a rehearsal, whose lines must be in the order
   * of the file.
   */
  readonly isSequential?: boolean;
}

/** The runner of a chain with its branches: it starts and stops with all of them, and is idle when all are. */
export function createChainTree(options: ChainTreeOptions): ChainRunner {
  return options.chain.branches.length === 0 ? createChainRunner(options) : new ChainTree(options);
}

class ChainTree implements ChainRunner {
  readonly #trunk: ChainRunner;
  readonly #branches: ReadonlyMap<string, ChainRunner>;

  constructor({ isSequential = false, ...options }: ChainTreeOptions) {
    const { onForked } = options;
    const kick = (names: readonly string[]): void => {
      const others = names.filter((name) => !this.#branches.has(name));
      for (const name of names) this.#branches.get(name)?.kick();
      if (others.length > 0) onForked?.(others);
    };
    const createBranch = (chain: ChainConfig) => createChainTree({ ...options, isSequential, chain });
    this.#branches = new Map(options.chain.branches.map((branch) => [branch.name, createBranch(branch)]));
    this.#trunk = createChainRunner(isSequential ? options : { ...options, onForked: kick });
  }

  /** Branches first, so that forked changes find them running. */
  async start(claimAfter?: Promise<void>): Promise<void> {
    const started: ChainRunner[] = [];
    try {
      for (const runner of [...this.#branches.values(), this.#trunk]) {
        await runner.start(claimAfter);
        started.push(runner);
      }
    } catch (thrown) {
      await Promise.all(started.map((runner) => runner.stop(0)));
      throw thrown;
    }
  }

  kick(): void {
    this.#trunk.kick();
  }

  /** Stops all at once, within one grace period. Changes forked meanwhile wait in the store. */
  async stop(graceMs: number): Promise<void> {
    const runners = [this.#trunk, ...this.#branches.values()];
    await Promise.all(runners.map((runner) => runner.stop(graceMs)));
  }

  async idle(): Promise<void> {
    await this.#trunk.idle();
    for (const branch of this.#branches.values()) await branch.idle();
  }
}
