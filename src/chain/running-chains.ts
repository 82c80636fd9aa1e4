/** The runners of the configured chains, and how they adopt a changed configuration. */
import type { ChainConfig } from '../config/config.ts';
import { ConfigError, toError } from '../errors.ts';
import type { ChainRunner } from './runner.ts';

interface RunningChain {
  readonly chain: ChainConfig;
  readonly runner: ChainRunner;
}

/** Names of chains, for the log. */
export interface ChainsChanged {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

export class RunningChains {
  readonly #create: (chain: ChainConfig) => ChainRunner;
  #running: ReadonlyMap<string, RunningChain> = new Map();
  #isStopped = false;

  /** @param create makes a runner that has not started */
  constructor(create: (chain: ChainConfig) => ChainRunner) {
    this.#create = create;
  }

  /** To be called when these chains have work. For a chain that is not running, the work waits in the store. */
  kick(names: readonly string[]): void {
    for (const name of names) this.#running.get(name)?.runner.kick();
  }

  /**
   * Runs exactly these chains from now on. Unchanged ones are left alone; in the others, running work may end within `graceMs`,
   * and the rest starts again with the new handlers.
   * @param prepare called when all handlers have started, before a changed chain takes work
   * @throws if a handler does not start, or `prepare` throws; the previous chains are running again by then, except those that
   * the error names, which are started again by the next call
   */
  async reconfigure(
    chains: readonly ChainConfig[],
    graceMs: number,
    prepare: () => Promise<void> = async () => {},
  ): Promise<ChainsChanged> {
    const before = this.#running;
    const isSame = (chain: ChainConfig) => before.get(chain.name)?.chain.fingerprint === chain.fingerprint;
    const kept = chains.filter(isSame).map(({ name }) => name);
    const leaving = [...before.values()].filter(({ chain }) => !kept.includes(chain.name));
    await stopAll(leaving, graceMs);
    const prepared = Promise.withResolvers<void>();
    try {
      await this.#run(chains, this.#retain(before, kept), prepared.promise);
      // If it fails, as redaction may on a full disk, no new handler must see what should have been hidden.
      await prepare();
      prepared.resolve();
    } catch (thrown) {
      await stopAll(
        [...this.#running.values()].filter(({ chain }) => !kept.includes(chain.name)),
        0,
      );
      throw await this.#rollBack(before, kept, toError(thrown));
    }
    const names = chains.map(({ name }) => name);
    return {
      added: names.filter((name) => !before.has(name)),
      removed: [...before.keys()].filter((name) => !names.includes(name)),
      changed: names.filter((name) => before.has(name) && !kept.includes(name)),
    };
  }

  /** Resolves when nothing is running and nothing is due in any chain. */
  async idle(): Promise<void> {
    const allIdle = () => Promise.all([...this.#running.values()].map(({ runner }) => runner.idle()));
    await allIdle();
    // One may have given a dead letter to another that was idle already; a letter that dies again is not passed on.
    await allIdle();
  }

  /** Stops all chains at once, within one grace period. Chains that {@link reconfigure} was about to start no longer start. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    await stopAll([...this.#running.values()], graceMs);
  }

  /** Restarts each previous chain by itself: one that no longer starts must not affect others. Returns `error`, plus those. */
  async #rollBack(before: ReadonlyMap<string, RunningChain>, kept: readonly string[], error: Error): Promise<Error> {
    const problems: string[] = [];
    const running = this.#retain(before, kept);
    for (const [name, { chain }] of before) {
      try {
        await this.#run([chain], running);
      } catch (thrown) {
        problems.push(`Chain "${name}" is stopped until the configuration changes: ${toError(thrown).message}`);
      }
    }
    return problems.length === 0 ? error : new ConfigError([error.message, ...problems], { cause: error });
  }

  /** Makes the kept chains the running ones; others are added to the map as they start, so that {@link stop} finds them. */
  #retain(before: ReadonlyMap<string, RunningChain>, kept: readonly string[]): Map<string, RunningChain> {
    const running = new Map([...before].filter(([name]) => kept.includes(name)));
    this.#running = running;
    return running;
  }

  /** Starts those that are not running yet, one after the other; one that does not start is removed. */
  async #run(
    chains: readonly ChainConfig[],
    running: Map<string, RunningChain>,
    claimAfter?: Promise<void>,
  ): Promise<void> {
    for (const chain of chains) {
      if (running.has(chain.name) || this.#isStopped) continue;
      const runner = this.#create(chain);
      running.set(chain.name, { chain, runner });
      try {
        await runner.start(claimAfter);
      } catch (thrown) {
        running.delete(chain.name);
        throw thrown;
      }
    }
  }
}

async function stopAll(chains: readonly RunningChain[], graceMs: number): Promise<void> {
  await Promise.all(chains.map(({ runner }) => runner.stop(graceMs)));
}
