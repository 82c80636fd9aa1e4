/** Translates configurations of kubernetes-event-exporter, from any of its builds, into ours. */
import { isTable } from '../../expand.ts';
import type { Path } from '../../problems.ts';
import type { Adapted, AdapterOptions } from '../adapter.ts';
import { Report } from '../report.ts';
import { parseYaml } from '../yaml.ts';
import { ExporterEnvironment } from './environment.ts';
import { checkedFile } from './file.ts';
import { sinksOf } from './receivers.ts';
import { stepOfRoute, tableOf } from './routes.ts';
import { testsOf, type Tests } from './rules.ts';
import type { ExporterFile, Rule } from './schema.ts';
import type { Table } from './sinks.ts';

/** Whether a YAML file is a configuration of kubernetes-event-exporter. */
export function isExporterFile(value: unknown): boolean {
  return isTable(value) && ('route' in value || 'receivers' in value);
}

/** @throws YamlSyntaxError */
export function adaptExporterFile(text: string, options: AdapterOptions): Adapted {
  const environment = new ExporterEnvironment(options);
  const { value: written, locate } = parseYaml(environment.mark(text));
  const report = new Report(options);
  const file = checkedFile(written, { environment, report });
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
  /** By the name of the receiver; undefined for one that cannot be used. */
  readonly #sinks: ReadonlyMap<string, Table | undefined>;
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
    this.#sinks = sinksOf(receivers ?? [], ['receivers'], { fields, environment, report });
  }

  value(): Table {
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
      if (!this.#usedReceivers.has(name))
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

  #testsOf(rule: Rule, path: Path): Tests | undefined {
    if (rule.minCount !== undefined && rule.minCount > 1 && this.#options.repeats === 'first')
      this.#report.warning(
        [...path, 'minCount'],
        'each Event is reported once, when its count is nearly always 1: --repeats every reports every count',
      );
    return testsOf(rule, path, { environment: this.#environment, report: this.#report });
  }

  /** A new table for each place that names the receiver. */
  #sinkOf(name: string, path: Path): Table | undefined {
    this.#usedReceivers.add(name);
    const known = [...this.#sinks.keys()];
    // That there are none is reported once.
    if (known.length > 0 && !this.#sinks.has(name))
      this.#report.unsupported(path, `unknown receiver "${name}"; known receivers are ${known.join(', ')}`);
    const sink = this.#sinks.get(name);
    return sink && this.#report.copy({ ...sink }, sink);
  }
}
