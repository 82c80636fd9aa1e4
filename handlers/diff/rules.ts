/** Turns the options into what counts as a difference: in general, for a kind, for an object. */
import type { Change } from '../../src/change.ts';
import type { WatchedKind } from '../../src/chain/handler.ts';
import type { Interest } from '../../src/interest.ts';
import { namesOf } from '../../src/kind-names.ts';
import type { FieldRules } from './fields.ts';
import { compileMask, type Pattern } from './mask.ts';
import type { Options } from './options.ts';
import { parseFieldPath } from '../../src/field-path.ts';
import { ALWAYS_QUIET, QUIET } from './quiet.ts';

/** A longer annotation is ignored: it comes from the cluster, and each of its paths costs time on every change. */
const MAX_ANNOTATION_LENGTH = 2_000;

/** Paths as text, for one kind or in general. */
interface Paths {
  readonly ignore: readonly string[];
  readonly only: readonly string[];
}

export interface RuleBook {
  /** Undefined if the object has opted out of having its updates reported. */
  rulesFor(change: Change): FieldRules | undefined;
}

export function createRuleBook(options: Options): RuleBook {
  const { nulls, emptyMetadata } = options;
  const rules = (paths: Paths): FieldRules => ({ mask: maskOf(paths), nulls, emptyMetadata });
  const general = generalPaths(options);
  const generalRules = rules(general);
  const byKind = new Map(kindPaths(options).map(([kind, paths]) => [kind, { paths, rules: rules(paths) }]));
  return {
    rulesFor(change) {
      const known =
        byKind.size === 0
          ? undefined
          : kindNames({ ...change.gvk, resource: change.gvr.resource }).flatMap((name) => byKind.get(name) ?? [])[0];
      const optOut = optOutValue(change, options.optOutAnnotation);
      if (optOut === '') return known?.rules ?? generalRules;
      if (optOut.trim() === 'true') return undefined;
      const extra = optOut
        .split(',')
        .map((path) => path.trim())
        .filter(isPath);
      const paths = known?.paths ?? general;
      return rules({ ...paths, ignore: [...paths.ignore, ...extra] });
    },
  };
}

/** The fields that no rule keeps, as far as a source can tell without knowing the object. */
export function interestOf(options: Options): Interest {
  const [first, ...others] = [generalPaths(options), ...kindPaths(options).map(([, paths]) => paths)];
  const common = first.ignore.filter((path) => others.every(({ ignore }) => ignore.includes(path)));
  return { except: common.filter(isRoot).toSorted() };
}

/** The keys of `kinds` that are none of these. */
export function unusedKinds({ kinds }: Options, watched: readonly WatchedKind[]): readonly string[] {
  const names = new Set(watched.flatMap(kindNames));
  return Object.keys(kinds).filter((kind) => !names.has(kind.toLowerCase()));
}

/** A kind may be given by any of its names, or by name and group; the longer form wins. */
function kindNames({ group, kind, resource }: WatchedKind): readonly string[] {
  const names = [...namesOf(kind), resource];
  return [...names.map((name) => `${name}.${group}`.toLowerCase()), ...names];
}

function generalPaths(options: Options): Paths {
  return withQuiet(options, options);
}

function kindPaths(options: Options): readonly (readonly [kind: string, paths: Paths])[] {
  return Object.entries(options.kinds).map(([kind, { ignore, only }]) => {
    const paths = { ignore: [...options.ignore, ...ignore], only: only ?? options.only };
    return [kind.toLowerCase(), withQuiet(options, paths)];
  });
}

/** What `only` names is not quiet, whatever the switches say. */
function withQuiet(options: Options, { ignore, only }: Paths): Paths {
  const patterns = only.map(parseFieldPath);
  const isNamed = (path: string) =>
    patterns.some((pattern) => parseFieldPath(path).every((step, n) => pattern[n] === step));
  const switches = Object.keys(QUIET) as (keyof typeof QUIET)[];
  const quiet = switches.flatMap((name): readonly string[] => (options[name] ? [] : QUIET[name]));
  return { ignore: [...quiet.filter((path) => !isNamed(path)), ...ignore], only };
}

function maskOf({ ignore, only }: Paths): FieldRules['mask'] {
  const patterns = (paths: readonly string[]): readonly Pattern[] => paths.map(parseFieldPath);
  return compileMask(patterns([...ALWAYS_QUIET, ...ignore]), patterns(only));
}

/** A root in the sense of {@link Interest}: plain keys, or one annotation. */
function isRoot(path: string): boolean {
  return /^(?:[\w-]+(?:\.[\w-]+)*|metadata\.annotations\["[^"*\\]+"\])$/.test(path);
}

/** Only a value that was there before and still is: the change that sets, alters or removes it is reported in full. */
function optOutValue({ before, after }: Change, annotation: string): string {
  const value = annotation === '' ? undefined : before?.metadata.annotations?.[annotation];
  if (typeof value !== 'string' || value.length > MAX_ANNOTATION_LENGTH) return '';
  return value === after?.metadata.annotations?.[annotation] ? value : '';
}

function isPath(text: string): boolean {
  try {
    return parseFieldPath(text).length > 0;
  } catch {
    return false;
  }
}
