/** Reads a configuration as kubernetes-event-exporter does, and checks it against the schema. */
import { isTable } from '../../expand.ts';
import { canonicalize } from '../../keys.ts';
import { problemsOf, type Path, type Problem } from '../../problems.ts';
import type { Report } from '../report.ts';
import { parseYaml } from '../yaml.ts';
import type { ExporterEnvironment } from './environment.ts';
import { exporterFile, RESOLVED_KEYS, type ExporterFile } from './schema.ts';

interface FileContext {
  readonly environment: ExporterEnvironment;
  readonly report: Report;
}

/** Undefined if nothing of it can be used. */
export function checkedFile(written: unknown, context: FileContext): ExporterFile | undefined {
  const { report } = context;
  const unknown: Problem[] = [];
  const canonicalized = canonicalize(normalizeValues(written, context), exporterFile, [], unknown);
  for (const { path, message } of unknown) report.unsupported(path, misplaced(path) ?? message);
  const checked = exporterFile.safeParse(canonicalized);
  if (checked.success) return checked.data;
  for (const { path, message } of problemsOf(checked.error, canonicalized, [], isSecret)) report.problem(path, message);
  // Go on without those values, to report the other mistakes too; but without receivers, each would be reported as unknown.
  const paths = checked.error.issues.map((issue) => issue.path);
  if (paths.some(([key, ...inner]) => key === 'receivers' && inner.length === 0)) return undefined;
  return exporterFile.safeParse(paths.reduce(without, canonicalized)).data;
}

/** What to do with a key that is known elsewhere; kubernetes-event-exporter ignores it, so that it is often seen. */
function misplaced(path: Path): string | undefined {
  const key = String(path.at(-1)).toLowerCase();
  const isTop = path.length === 1;
  if (!isTop && path[0] !== 'route') return undefined;
  if (!isTop && key === 'receivers') return 'has no effect here: it belongs to the top level, beside route';
  if (!['routes', 'match', 'drop'].includes(key)) return undefined;
  return isTop
    ? 'has no effect here: it belongs below route'
    : 'has no effect in a rule: it belongs to the route, beside the list that holds this rule';
}

/** List elements are kept, so that the others keep their indexes. */
function without(value: unknown, [key, ...inner]: Path): unknown {
  if (Array.isArray(value)) return value.map((element: unknown, n) => (n === key ? without(element, inner) : element));
  if (!isTable(value)) return value;
  const members = Object.entries(value).filter(([name]) => name !== key || inner.length > 0);
  return Object.fromEntries(members.map(([name, member]) => [name, name === key ? without(member, inner) : member]));
}

function isSecret(path: Path): boolean {
  return path[0] === 'receivers';
}

/**
 * Without nulls, which kubernetes-event-exporter takes as absent, and with variables resolved where no text is wanted; layouts
 * stay as they are.
 */
function normalizeValues(value: unknown, context: FileContext, path: Path = [], key = ''): unknown {
  if (Array.isArray(value))
    return value.map((inner: unknown, index) => normalizeValues(inner, context, [...path, index], key));
  if (isTable(value)) {
    const members = Object.entries(value).map(
      ([name, inner]) =>
        [
          name,
          LAYOUTS.has(name.toLowerCase()) ? inner : normalizeValues(inner, context, [...path, name], name),
        ] as const,
    );
    return Object.fromEntries(members.filter(([, inner]) => inner !== null));
  }
  if (typeof value !== 'string' || !RESOLVED_KEYS.has(key.toLowerCase())) return value;
  const { environment, report } = context;
  const resolved = environment.resolve(value);
  if (resolved === value) return value;
  const [unset] = environment.unsetIn(value);
  if (unset !== undefined && resolved === '' && NAMES.has(key.toLowerCase())) {
    report.problem(path, `the variable ${unset} is not set, and a name cannot refer to it: set it for this command`);
    return `\${${unset}}`;
  }
  // A value that is not a text cannot hold a reference, so warn before the variable's name is lost.
  for (const name of environment.unsetIn(value))
    report.warning(path, `the variable ${name} is not set, and this place cannot refer to it: it is treated as empty`);
  return parseYaml(resolved).value;
}

const NAMES: ReadonlySet<string> = new Set(['name', 'receiver']);
const LAYOUTS: ReadonlySet<string> = new Set(['layout', 'details']);
