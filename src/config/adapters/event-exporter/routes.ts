/**
 * The tree of routes as branches. An Event that no `drop` holds back goes to each `match` that holds and names a receiver, each for
 * itself; and into `routes` when all of `match` hold.
 */
import type { Path } from '../../problems.ts';
import type { Report } from '../report.ts';
import type { Tests } from './rules.ts';
import type { Route, Rule } from './schema.ts';

export interface RouteSurroundings {
  readonly report: Report;
  readonly testsOf: (rule: Rule, path: Path) => Tests;
  /** The sink of a receiver, a new table each time; undefined when there is none, which is reported. */
  readonly sinkOf: (receiver: string, path: Path) => Table | undefined;
}

type Table = Readonly<Record<string, unknown>>;

/** Handlers in their order, then branches side by side. */
export interface Step {
  readonly name: string;
  readonly path: Path;
  readonly handlers: readonly Table[];
  readonly branches: readonly Step[];
}

/** Undefined when nothing can come of it. */
export function stepOfRoute(route: Route, path: Path, surroundings: RouteSurroundings): Step | undefined {
  const rules = (route.match ?? []).map((rule, index) => ({ rule, path: [...path, 'match', index] }));
  const drops = (route.drop ?? []).map((rule, index) => ({ rule, path: [...path, 'drop', index] }));
  const drop = drops.flatMap(({ rule, path: at }) => {
    if (rule.receiver !== undefined) surroundings.report.warning([...at, 'receiver'], 'a rule of drop sends nothing');
    const tests = surroundings.testsOf(rule, at);
    return tests === undefined ? [] : [{ tests, at }];
  });
  if (drop.some(({ tests }) => Object.keys(tests).length === 0)) return undefined;
  const tested = rules.map((one) => ({ ...one, tests: surroundings.testsOf(one.rule, one.path) }));
  const sending = tested.flatMap((one) => stepOfRule(one, surroundings) ?? []);
  const children = stepOfChildren(route, path, tested, surroundings);
  return simplified({
    name: 'route',
    path,
    handlers: drop.map(({ tests, at }) => matchHandler({ ...tests, drop: true }, at, surroundings.report)),
    branches: [...sending, ...(children ?? [])],
  });
}

interface Tested {
  readonly rule: Rule;
  readonly path: Path;
  readonly tests: Tests;
}

function stepOfRule({ rule, path, tests }: Tested, { report, sinkOf }: RouteSurroundings): readonly Step[] | undefined {
  if (rule.receiver === undefined || rule.receiver === '') return undefined;
  const sink = sinkOf(rule.receiver, [...path, 'receiver']);
  if (sink === undefined || tests === undefined) return undefined;
  return [{ name: rule.receiver, path, handlers: [...matchHandlers(tests, path, report), sink], branches: [] }];
}

function stepOfChildren(
  { routes = [] }: Route,
  path: Path,
  tested: readonly Tested[],
  surroundings: RouteSurroundings,
): readonly Step[] | undefined {
  const branches = routes.flatMap((child, index) => stepOfRoute(child, [...path, 'routes', index], surroundings) ?? []);
  const handlers = tested.map((one) => ({
    ...one,
    handlers: matchHandlers(one.tests ?? {}, one.path, surroundings.report),
  }));
  if (branches.length === 0 || tested.some(({ tests }) => tests === undefined)) return undefined;
  return [{ name: 'routes', path: [...path, 'routes'], handlers: handlers.flatMap((one) => one.handlers), branches }];
}

/** Where the tests of `match` have another name. */
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

/** A step without handlers is its branches, and one with a single branch goes on with that. */
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

/** The table of a chain or of a branch, with names that are unique beside each other and ids that are unique inside. */
export function tableOf(step: Step, report: Report): Table {
  const handlers = numbered(step.handlers);
  const names = unique(step.branches.map(({ name }) => branchName(name)));
  const branches = step.branches.map((branch, index) =>
    report.from(branch.path, { name: names[index], ...tableOf(branch, report) }),
  );
  return {
    ...(handlers.length === 0 ? {} : { handler: handlers }),
    ...(branches.length === 0 ? {} : { branch: branches }),
  };

  function numbered(tables: readonly Table[]): readonly Table[] {
    const seen = new Map<unknown, number>();
    for (const table of tables) {
      const { name } = table;
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      // In place: where it comes from is known of this object.
      if (count > 1) (table as Record<string, unknown>)['id'] = `${String(name)}-${count}`;
    }
    return tables;
  }
}

/** A name is part of what is stored, and has no slash. */
function branchName(name: string): string {
  return name.replaceAll('/', '-').trim() || 'route';
}

function unique(names: readonly string[]): readonly string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name} ${count}`;
  });
}
