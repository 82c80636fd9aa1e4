/** Translates configurations of kubernetes-event-exporter, from any of its builds, into ours. */
import { isTable } from '../../expand.ts';
import { canonicalize } from '../../keys.ts';
import { problemsOf, type Path, type Problem } from '../../problems.ts';
import type { Adapted, AdapterOptions } from '../adapter.ts';
import { Report } from '../report.ts';
import { parseYaml } from '../yaml.ts';
import { ExporterEnvironment } from './environment.ts';
import { receiversOf, type Receiver } from './receivers.ts';
import { stepOfRoute, tableOf } from './routes.ts';
import { testsOf } from './rules.ts';
import { exporterFile, RESOLVED_KEYS, type ExporterFile, type Rule } from './schema.ts';

/** Whether a YAML file is a configuration of kubernetes-event-exporter. */
export function isExporterFile(value: unknown): boolean {
  return isTable(value) && ('route' in value || 'receivers' in value);
}

/** @throws YamlSyntaxError */
export function adaptExporterFile(text: string, options: AdapterOptions): Adapted {
  const environment = new ExporterEnvironment(options);
  const { value: written, locate } = parseYaml(environment.mark(text));
  const report = new Report(options);
  const file = checkedFile(normalizeValues(written, { environment, report }), report);
  const value = file === undefined ? {} : new Adapter(file, environment, report, options).value();
  if (options.unset === 'empty') {
    for (const [name, line] of environment.missing)
      report.warning([], `the variable ${name} is not set: it is treated as empty, as before`, line);
  }
  return {
    tool: 'kubernetes-event-exporter',
    value,
    problems: report.problems,
    warnings: report.warnings,
    origin: (path) => report.origin(value, path),
    locate,
  };
}

/** Undefined if nothing of it can be used. */
function checkedFile(written: unknown, report: Report): ExporterFile | undefined {
  const unknown: Problem[] = [];
  const canonicalized = canonicalize(written, exporterFile, [], unknown);
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

interface NormalizeContext {
  readonly environment: ExporterEnvironment;
  readonly report: Report;
}

/**
 * Without nulls, which kubernetes-event-exporter takes as absent, and with variables resolved where no text is wanted; layouts
 * stay as they are.
 */
function normalizeValues(value: unknown, context: NormalizeContext, path: Path = [], key = ''): unknown {
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

/** Seconds, as in kubernetes-event-exporter. */
const DEFAULT_MAX_AGE_SECONDS = 5;
/** The default of kubernetes-event-exporter. */
const DEFAULT_LEASE = 'kubernetes-event-exporter';
/** No cluster keeps Events for a day. */
const NO_LIMIT_SECONDS = 24 * 3_600;

class Adapter {
  readonly #file: ExporterFile;
  readonly #environment: ExporterEnvironment;
  readonly #report: Report;
  readonly #options: AdapterOptions;
  readonly #receivers: ReadonlyMap<string, Receiver>;
  readonly #usedReceivers = new Set<string>();

  constructor(file: ExporterFile, environment: ExporterEnvironment, report: Report, options: AdapterOptions) {
    this.#file = file;
    this.#environment = environment;
    this.#report = report;
    this.#options = options;
    const { clusterName = '', receivers } = file;
    if (receivers === undefined || receivers.length === 0)
      report.problem(['receivers'], 'is missing: there is nowhere to send to');
    const fields = { clusterName, deDot: false };
    this.#receivers = receiversOf(receivers ?? [], ['receivers'], { fields, environment, report });
  }

  value(): Readonly<Record<string, unknown>> {
    const { clusterName = '', metricsNamePrefix = '', route } = this.#file;
    const step =
      route &&
      stepOfRoute(route, ['route'], {
        report: this.#report,
        testsOf: (rule, path) => this.#testsOf(rule, path),
        sinkOf: (name, path) => this.#sinkOf(name, path),
      });
    this.#warnUnusedReceivers();
    if (step === undefined) {
      if (this.#report.problems.length > 0) return {};
      this.#report.problem(['route'], 'sends nothing: no rule that can match names a usable receiver');
      return {};
    }
    return this.#report.from([], {
      ...this.#log(),
      ...(this.#isEmpty(clusterName) ? {} : { cluster: { name: this.#environment.reference(clusterName) } }),
      ...this.#lookup(),
      ...this.#lease(),
      web: this.#report.from([], { exporterMetrics: metricsNamePrefix }, { exporterMetrics: ['metricsNamePrefix'] }),
      // What exists at a first start, or any start without a state, is reported unless it is too old.
      existing: 'added',
      // kubernetes-event-exporter sends to each receiver one by one, in the order in which the Events came.
      concurrency: 1,
      // Each repeat is reported by itself.
      ...(this.#options.repeats === 'first' ? {} : { coalesce: false }),
      resource: this.#resources(),
      ...tableOf(step, this.#report),
    });
  }

  #warnUnusedReceivers(): void {
    for (const [index, { name }] of (this.#file.receivers ?? []).entries())
      if (name !== undefined && !this.#usedReceivers.has(name))
        this.#report.warning(['receivers', index], `no rule names "${name}": it receives nothing and is left out`);
  }

  #lease(): object {
    const { enabled = false, leaderElectionID = '' } = this.#file.leaderElection ?? {};
    if (!enabled) return {};
    const name = leaderElectionID || DEFAULT_LEASE;
    return { lease: this.#report.from(['leaderElection'], { name }, { name: ['leaderElectionID'] }) };
  }

  #lookup(): object {
    const { omitLookup = false, kubeQPS = 0, kubeBurst = 0 } = this.#file;
    const lookup = {
      ...(omitLookup ? { enabled: false } : {}),
      ...(kubeQPS > 0 ? { requestsPerSecond: kubeQPS } : {}),
      ...(kubeBurst > 0 ? { burst: kubeBurst } : {}),
    };
    if (Object.keys(lookup).length === 0) return {};
    const keys = { enabled: ['omitLookup'], requestsPerSecond: ['kubeQPS'], burst: ['kubeBurst'] };
    return { lookup: this.#report.from([], lookup, keys) };
  }

  #log(): object {
    const { logLevel, logFormat } = this.#file;
    const level = logLevel === '' ? undefined : logLevel;
    const format = logFormat === 'pretty' ? 'text' : logFormat === 'json' ? 'json' : undefined;
    if (level === undefined && format === undefined) return {};
    const log = { ...(level === undefined ? {} : { level }), ...(format === undefined ? {} : { format }) };
    return { log: this.#report.from([], log, { level: ['logLevel'], format: ['logFormat'] }) };
  }

  /** One resource, or one for each watched reason. */
  #resources(): readonly object[] {
    const { namespace = '', watchReasons = [] } = this.#file;
    const common = {
      kind: 'event',
      ...(this.#isEmpty(namespace) ? {} : { namespaces: [this.#environment.reference(namespace)] }),
      repeats: this.#options.repeats,
      ...this.#maxAge(),
    };
    const keys = { namespaces: ['namespace'], maxAge: ['maxEventAgeSeconds'] };
    if (watchReasons.length === 0) return [this.#report.from([], common, keys)];
    return watchReasons.map((reason, index) => {
      const table = { ...common, fieldSelector: `reason=${this.#environment.reference(reason)}` };
      return this.#report.from([], table, { ...keys, fieldSelector: ['watchReasons', index] });
    });
  }

  /** Counts as absent, even if it is a variable set to nothing. */
  #isEmpty(text: string): boolean {
    return this.#environment.resolve(text) === '' && this.#environment.unsetIn(text).length === 0;
  }

  #maxAge(): { readonly maxAge?: string } {
    const { maxEventAgeSeconds = 0, throttlePeriod = 0 } = this.#file;
    if (maxEventAgeSeconds !== 0 && throttlePeriod !== 0)
      this.#report.problem(
        ['throttlePeriod'],
        'must not be set together with maxEventAgeSeconds: it is the old name of that key',
      );
    else if (throttlePeriod !== 0) this.#report.warning(['throttlePeriod'], 'is the old name of maxEventAgeSeconds');
    const seconds = maxEventAgeSeconds || throttlePeriod || DEFAULT_MAX_AGE_SECONDS;
    return seconds > NO_LIMIT_SECONDS ? {} : { maxAge: `${seconds}s` };
  }

  #testsOf(rule: Rule, path: Path): ReturnType<typeof testsOf> {
    if (rule.minCount !== undefined && rule.minCount > 1 && this.#options.repeats === 'first')
      this.#report.warning(
        [...path, 'minCount'],
        'each Event is reported once, when its count is nearly always 1: --repeats every reports every count',
      );
    return testsOf(rule, path, { environment: this.#environment, report: this.#report });
  }

  /** A new table for each place that names the receiver. */
  #sinkOf(name: string, path: Path): Readonly<Record<string, unknown>> | undefined {
    this.#usedReceivers.add(name);
    const receiver = this.#receivers.get(name);
    if (receiver === undefined) {
      const known = [...this.#receivers.keys()].join(', ');
      // That there are none is reported once.
      if (known !== '') this.#report.unsupported(path, `unknown receiver "${name}"; known receivers are ${known}`);
      return undefined;
    }
    return receiver.sink && this.#report.copy({ ...receiver.sink }, receiver.sink);
  }
}
