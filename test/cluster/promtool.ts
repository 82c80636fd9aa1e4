/** Checks our metrics and rules with Prometheus' own tool. No cluster is needed. `make control-plane` builds it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parse } from 'yaml';
import type { Alert, RuleFile } from '../../docs/metrics-page.ts';
import type { Workdir } from '../e2e/program.ts';
import { programs } from './programs.ts';

export const RULES = path.resolve(import.meta.dirname, '../../chart/files/alerts.yaml');

/** Throws with promtool's output if it fails. */
export async function promtool(args: readonly string[], stdin = ''): Promise<void> {
  const child = spawn(path.join(programs('test-cluster'), 'promtool'), args, { env: { HOME: '/nonexistent' } });
  const exit = once(child, 'close');
  child.stdin.end(stdin);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await exit) as [number];
  if (code !== 0) throw new Error(`promtool ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`);
}

async function ruleNamed(name: string): Promise<Alert> {
  const { groups } = parse(await readFile(RULES, 'utf8')) as RuleFile;
  const rule = groups.flatMap(({ rules }) => rules).find(({ alert }) => alert === name);
  if (rule === undefined) throw new Error(`No alert is called ${name}`);
  return rule;
}

/** An alert as it is sent. */
export interface Firing {
  /** The labels of the series it is about. */
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
}

/** What Prometheus would have scraped once a minute. */
export class Recording {
  readonly #startMs: number;
  readonly #series = new Map<string, string[]>();
  #minutes = 0;

  /** @param startMs time of the first scrape, milliseconds since the epoch */
  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  /** @param exposition a page of /metrics; the service's own metrics are kept */
  add(exposition: string): void {
    for (const [, series = '', value = ''] of exposition.matchAll(/^(watchchain_\S*(?:\{.*\})?) (\S+)$/gm)) {
      const values = this.#series.get(series) ?? [];
      while (values.length < this.#minutes) values.push('_');
      values.push(value);
      this.#series.set(series, values);
    }
    this.#minutes++;
  }

  /** Throws unless no alert fires at minute `quietUntil`, and `alert` fires at the end, with these labels and summary. */
  async assertFires(alert: string, { labels, summary }: Firing, quietUntil: number, workdir: Workdir): Promise<void> {
    const { labels: own, annotations } = await ruleNamed(alert);
    await this.#evaluate(workdir, {
      ...nothingFiresAt(quietUntil),
      alert_rule_test: [
        {
          alertname: alert,
          eval_time: `${this.#minutes - 1}m`,
          exp_alerts: [{ exp_labels: { ...own, ...labels }, exp_annotations: { ...annotations, summary } }],
        },
      ],
    });
  }

  /** Throws unless no alert fires at the end. */
  async assertNoneFires(workdir: Workdir): Promise<void> {
    await this.#evaluate(workdir, nothingFiresAt(this.#minutes - 1));
  }

  async #evaluate(workdir: Workdir, expectations: object): Promise<void> {
    const group = {
      interval: '1m',
      start_timestamp: new Date(this.#startMs).toISOString(),
      input_series: Array.from(this.#series, ([series, values]) => ({ series, values: this.#padded(values) })),
      ...expectations,
    };
    const file = { rule_files: [RULES], evaluation_interval: '1m', tests: [group] };
    await promtool(['test', 'rules', await workdir.write('alerts.test.json', JSON.stringify(file))]);
  }

  /** A series that is no longer there ends at once, as when it is missing from a scrape. */
  #padded(values: readonly string[]): string {
    return [...values, ...Array.from({ length: this.#minutes - values.length }, () => 'stale')].join(' ');
  }
}

function nothingFiresAt(minute: number): object {
  return { promql_expr_test: [{ expr: 'ALERTS{alertstate="firing"}', eval_time: `${minute}m`, exp_samples: [] }] };
}
