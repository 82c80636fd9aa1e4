/** What an adapter turns another tool's configuration into: the same tables that our TOML would give. */
import type { Repeats } from '../../event.ts';
import type { Locate } from '../locate.ts';
import type { Path, Problem } from '../problems.ts';

/** The name in messages of a configuration that consists of the environment alone. */
export const NO_FILE = 'environment';

export interface AdapterOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Leave out what is not supported, with a warning, instead of refusing it. */
  readonly lenient: boolean;
  /** Which occurrences of an Event are reported, since the other tool's builds differ in this. */
  readonly repeats: Repeats;
  /** Where a pod's own token, namespace and CA are; default: where the kubelet mounts them. */
  readonly serviceAccountDir?: string | undefined;
  /** What replaces variables that are not set: nothing, as in the other tool, or a reference to be resolved later. */
  readonly unset: 'empty' | 'keep';
}

export interface Adapted {
  /** For people: `kubernetes-event-exporter`. */
  readonly tool: string;
  /** As a TOML file would hold it: references to the environment are not resolved. */
  readonly value: Readonly<Record<string, unknown>>;
  /** What is wrong with it, at paths of the other tool's file. */
  readonly problems: readonly Problem[];
  /** What is left out or works differently, at paths of the other tool's file. */
  readonly warnings: readonly Problem[];
  /** Its handlers may run programs without `--enable-exec`. */
  readonly allowsPrograms?: true;
  /** The path in the other tool's file that a path of `value` comes from. */
  readonly origin: (path: Path) => Path;
  readonly locate: Locate;
}
