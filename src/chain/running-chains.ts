/** The runners of the configured chains, and how they follow a changed configuration. */
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

  /** These chains have work. One that does not run (any more) keeps it. */
  kick(names: readonly string[]): void {
    for (const name of names) this.#running.get(name)?.runner.kick();
  }

  /**
   * From now on these chains run, and no others. One whose configuration is the same goes on untouched; of the rest, what runs
   * may end within `graceMs`, and what is left begins again with the new handlers.
   * @param prepare what has to be done when all handlers have started, before a changed chain takes work
   * @throws when a handler does not start, and what `prepare` threw; the chains that ran before run again by then, but for those
   * that it names: they are begun anew when it is called again
   */
  async follow(
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
      await this.#run(chains, this.#keep(before, kept), prepared.promise);
      // Where it fails, as redaction does on a full disk, no new handler is shown what it should have hidden.
      await prepare();
      prepared.resolve();
    } catch (thrown) {
      await stopAll(
        [...this.#running.values()].filter(({ chain }) => !kept.includes(chain.name)),
        0,
      );
      throw await this.#goBack(before, kept, toError(thrown));
    }
    const names = chains.map(({ name }) => name);
    return {
      added: names.filter((name) => !before.has(name)),
      removed: [...before.keys()].filter((name) => !names.includes(name)),
      changed: names.filter((name) => before.has(name) && !kept.includes(name)),
    };
  }

  /** Nothing is running and nothing is due, in any chain. */
  async idle(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ runner }) => runner.idle()));
  }

  /** Side by side: they share one grace period. Chains that {@link follow} is about to start do not start any more. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    await stopAll([...this.#running.values()], graceMs);
  }

  /** Each by itself: one whose handlers do not start any more must not keep the others down. Answers `why`, and which do not. */
  async #goBack(before: ReadonlyMap<string, RunningChain>, kept: readonly string[], why: Error): Promise<Error> {
    const problems: string[] = [];
    const running = this.#keep(before, kept);
    for (const [name, { chain }] of before) {
      try {
        await this.#run([chain], running);
      } catch (thrown) {
        problems.push(
          `Chain "${name}" does not run any more until the configuration changes: ${toError(thrown).message}`,
        );
      }
    }
    return problems.length === 0 ? why : new ConfigError([why.message, ...problems], { cause: why });
  }

  /** From now on these run; what is added is noted as soon as it runs, so that {@link stop} finds it. */
  #keep(before: ReadonlyMap<string, RunningChain>, kept: readonly string[]): Map<string, RunningChain> {
    const running = new Map([...before].filter(([name]) => kept.includes(name)));
    this.#running = running;
    return running;
  }

  /** Adds those that do not run yet, one after the other; one that does not start is forgotten. */
  async #run(
    chains: readonly ChainConfig[],
    running: Map<string, RunningChain>,
    mayTake?: Promise<void>,
  ): Promise<void> {
    for (const chain of chains) {
      if (running.has(chain.name) || this.#isStopped) continue;
      const runner = this.#create(chain);
      running.set(chain.name, { chain, runner });
      try {
        await runner.start(mayTake);
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
