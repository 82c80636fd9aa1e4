/** What an adapter makes of another tool's configuration: the same tables that our TOML would give. */
import type { Repeats } from '../../event.ts';
import type { Locate } from '../locate.ts';
import type { Path, Problem } from '../problems.ts';

/** What a configuration that is the environment alone is called in messages. */
export const NO_FILE = 'environment';

export interface AdapterOptions {
  readonly env: NodeJS.ProcessEnv;
  /** What is not supported is left out, with a warning, instead of refused. */
  readonly lenient: boolean;
  /** Which occurrences of an Event are told, where the other tool's builds differ. */
  readonly repeats: Repeats;
  /** Where a pod's own token, namespace and CA are; default: where the kubelet mounts them. */
  readonly serviceAccountDir?: string | undefined;
  /** What becomes of variables that are not set: nothing, as in the other tool, or a reference that is kept for later. */
  readonly unset: 'empty' | 'keep';
}

export interface Adapted {
  /** For people: `kubernetes-event-exporter`. */
  readonly tool: string;
  /** As a TOML file would hold it: references to the environment are not resolved. */
  readonly value: Readonly<Record<string, unknown>>;
  /** What is wrong with it, at paths of the other tool's file. */
  readonly problems: readonly Problem[];
  /** What is left out or works otherwise, at paths of the other tool's file. */
  readonly warnings: readonly Problem[];
  /** Its handlers may run programs without `--enable-exec`. */
  readonly allowsPrograms?: true;
  /** Where in the other tool's file what stands at a path of `value` comes from. */
  readonly origin: (path: Path) => Path;
  readonly locate: Locate;
}
