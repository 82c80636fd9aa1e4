/**
 * Translates the tree of routes into branches. An Event that no `drop` stops goes to the receiver of each `match` rule that
 * holds, independently; and into `routes` if all `match` rules hold.
 */
import type { Path } from '../../problems.ts';
import type { Report } from '../report.ts';
import type { Tests } from './rules.ts';
import type { Route, Rule } from './schema.ts';
import type { Table } from './sinks.ts';

export interface RouteContext {
  readonly report: Report;
  /** Undefined for a rule that never holds. */
  readonly testsOf: (rule: Rule, path: Path) => Tests | undefined;
  /** The sink of a receiver, a new table each time; undefined if there is none, which is reported. */
  readonly sinkOf: (receiver: string, path: Path) => Table | undefined;
}

/** Handlers in order, then branches side by side. */
export interface Step {
  readonly name: string;
  readonly path: Path;
  readonly handlers: readonly Table[];
  readonly branches: readonly Step[];
}

interface TestedRule {
  readonly rule: Rule;
  readonly path: Path;
  readonly tests: Tests | undefined;
}

/** Undefined if it can never send anything. */
export function stepOfRoute(route: Route, path: Path, context: RouteContext): Step | undefined {
  const tested = (rules: readonly Rule[] = [], list: 'match' | 'drop'): readonly TestedRule[] =>
    rules.map((rule, index) => {
      const at = [...path, list, index];
      return { rule, path: at, tests: context.testsOf(rule, at) };
    });
  const drops = tested(route.drop, 'drop').flatMap((one) => dropOf(one, context));
  const rules = tested(route.match, 'match');
  warnOfNoEffect(route, path, drops.length > 0, context.report);
  if (drops.includes('everything')) return undefined;
  return simplified({
    name: 'route',
    path,
    handlers: drops.filter((drop) => drop !== 'everything'),
    branches: [
      ...rules.flatMap((one) => stepsOfRule(one, context)),
      ...stepsOfInnerRoutes(route.routes, path, rules, context),
    ],
  });
}

/** Rules and drops that were meant for what stands beside them: the usual mistakes in these files, and silent ones. */
function warnOfNoEffect({ match = [], routes = [] }: Route, path: Path, drops: boolean, report: Report): void {
  if (routes.length > 0) return;
  const sends = match.some(({ receiver = '' }) => receiver !== '');
  if (drops && !sends)
    report.warning(
      [...path, 'drop'],
      'has no effect, as before: it only stops what match and routes beside it would send',
    );
  for (const [index, { receiver = '' }] of match.entries())
    if (receiver === '')
      report.warning(
        [...path, 'match', index],
        'has no effect, as before: it names no receiver. The conditions of a receiver belong into the same rule',
      );
}

/** Empty for a rule that never holds. */
function dropOf({ rule, path, tests }: TestedRule, { report }: RouteContext): readonly (Table | 'everything')[] {
  if (rule.receiver !== undefined) report.warning([...path, 'receiver'], 'a rule under drop sends nothing');
  if (tests === undefined) return [];
  return Object.keys(tests).length === 0 ? ['everything'] : [matchHandler({ ...tests, drop: true }, path, report)];
}

/** The branch of a rule, if the rule can hold and names a usable receiver. */
function stepsOfRule({ rule, path, tests }: TestedRule, { report, sinkOf }: RouteContext): readonly Step[] {
  if (rule.receiver === undefined || rule.receiver === '') return [];
  const sink = sinkOf(rule.receiver, [...path, 'receiver']);
  if (sink === undefined || tests === undefined) return [];
  return [{ name: rule.receiver, path, handlers: [...matchHandlers(tests, path, report), sink], branches: [] }];
}

/** The inner routes require all rules of the route around them. */
function stepsOfInnerRoutes(
  routes: readonly Route[] = [],
  path: Path,
  rules: readonly TestedRule[],
  context: RouteContext,
): readonly Step[] {
  const at = [...path, 'routes'];
  const branches = routes.flatMap((inner, index) => stepOfRoute(inner, [...at, index], context) ?? []);
  if (branches.length === 0 || rules.some(({ tests }) => tests === undefined)) return [];
  const handlers = rules.flatMap((one) => matchHandlers(one.tests ?? {}, one.path, context.report));
  return [{ name: 'routes', path: at, handlers, branches }];
}

/** The tests of `match` that have another name in a rule. */
const MATCH_KEYS: Readonly<Record<string, Path>> = {
  involvedApiVersion: ['apiVersion'],
  involvedKind: ['kind'],
  field: ['component'],
};

function matchHandlers(tests: Table, path: Path, report: Report): readonly Table[] {
  return Object.keys(tests).length === 0 ? [] : [matchHandler(tests, path, report)];
}

function matchHandler(tests: Table, path: Path, report: Report): Table {
  return report.from(path, { name: 'match', ...tests }, MATCH_KEYS);
}

/** Replaces a step without handlers by its branches, and merges a single branch into its step. */
function simplified(step: Step): Step | undefined {
  const branches = step.branches.flatMap((branch) => {
    const inner = branch.branches.length === 0 ? branch : simplified(branch);
    if (inner === undefined) return [];
    return inner.handlers.length === 0 ? inner.branches : [inner];
  });
  const [only] = branches;
  if (only === undefined) return undefined;
  if (branches.length > 1) return { ...step, branches };
  return { ...only, handlers: [...step.handlers, ...only.handlers] };
}

/** The table of a chain or of a branch, with unique names among its branches and unique ids among its handlers. */
export function tableOf(step: Step, report: Report): Table {
  const ids = unique(
    step.handlers.map(({ name }) => String(name)),
    '-',
  );
  const handlers = step.handlers.map((table, index) =>
    ids[index] === table['name'] ? table : report.copy({ ...table, id: ids[index] }, table),
  );
  const names = unique(
    step.branches.map(({ name }) => branchName(name)),
    ' ',
  );
  const branches = step.branches.map((branch, index) =>
    report.from(branch.path, { name: names[index], ...tableOf(branch, report) }),
  );
  return {
    ...(handlers.length === 0 ? {} : { handler: handlers }),
    ...(branches.length === 0 ? {} : { branch: branches }),
  };
}

/** Names are part of stored ids, and must not contain a slash. */
function branchName(name: string): string {
  return name.replaceAll('/', '-').trim() || 'route';
}

/** Appends a number to each repeated name, from 2 on, skipping those that are taken. */
function unique(names: readonly string[], separator: string): readonly string[] {
  const written = new Set(names);
  const taken = new Set<string>();
  return names.map((name) => {
    let own = name;
    for (let count = 2; taken.has(own) || (own !== name && written.has(own)); count++)
      own = `${name}${separator}${count}`;
    taken.add(own);
    return own;
  });
}
