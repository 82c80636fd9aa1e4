/** kwatchman's own file in YAML or JSON, which viper accepts besides TOML: the same tables, keys in any case. */
import { isTable } from '../expand.ts';
import type { Adapted } from './adapter.ts';
import { parseYaml } from './yaml.ts';

/** Whether a YAML file is kwatchman's, or ours in that form. */
export function isKwatchmanFile(value: unknown): boolean {
  if (!isTable(value)) return false;
  const keys = new Set(Object.keys(value).map((key) => key.toLowerCase()));
  return ['resource', 'handler', 'chain'].some((key) => keys.has(key));
}

/** @throws YamlSyntaxError */
export function adaptKwatchmanFile(text: string): Adapted {
  const { value, locate } = parseYaml(text);
  const table = isTable(value) ? withoutNull(value) : {};
  return { tool: 'kwatchman', value: table, problems: [], warnings: [], origin: (path) => path, locate };
}

/** A key without a value is ignored, as by viper. */
function withoutNull(table: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const clean = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(clean) : isTable(value) ? withoutNull(value) : value;
  return Object.fromEntries(
    Object.entries(table).flatMap(([key, value]) => (value === null ? [] : [[key, clean(value)]])),
  );
}
