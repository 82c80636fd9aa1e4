/** Go's printf: https://pkg.go.dev/fmt#hdr-Printing */
import type { FilterDefinition } from '../filter.ts';
import { textOf } from '../filters/text.ts';
import { goQuoted } from './text.ts';
import { printed } from './values.ts';

/** Wider than any text meant for people. */
const MAX_WIDTH = 1_000;

export const PRINTF: readonly FilterDefinition[] = [
  {
    name: 'go_printf',
    args: 'a, b',
    summary:
      "The values formatted by Go's format string: `%s`, `%d`, `%v`, `%q`, `%t`, `%f`, `%x`, with flags and widths.",
    examples: [
      { template: '{{ "%s-%03d %q" | go_printf: "a", 7, "b" }}', result: 'a-007 "b"' },
      { template: '{{ "%d%%" | go_printf: "x" }}', result: '%!d(string=x)%' },
    ],
    apply: (value, args) => printf(textOf(value), args),
  },
];

const VERB = /%([-+ 0#]*)(\d+)?(?:\.(\d+))?(?:\[(\d+)\])?([a-zA-Z%])/g;

type Part = string | undefined;

function printf(format: string, args: readonly unknown[]): string {
  let next = 0;
  let isReordered = false;
  const text = format.replace(VERB, (_, flags: string, width: Part, precision: Part, argIndex: Part, verb: string) => {
    if (verb === '%') return '%';
    if (argIndex !== undefined) {
      isReordered = true;
      next = Number(argIndex) - 1;
      if (next < 0 || next >= args.length) return `%!${verb}(BADINDEX)`;
    }
    if (next >= args.length) return `%!${verb}(MISSING)`;
    const written = verbText(verb, args[next++], flags, precision === undefined ? undefined : Number(precision));
    return fitted(written, flags, Math.min(MAX_WIDTH, Number(width ?? 0)));
  });
  const extra = isReordered
    ? []
    : args.slice(next).map((one) => (isNil(one) ? '<nil>' : `${goType(one)}=${printed(one)}`));
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(', ')})`;
}

function isNil(value: unknown): boolean {
  return value === undefined || value === null;
}

function verbText(verb: string, value: unknown, flags: string, precision: number | undefined): string {
  if (isNil(value)) return verb === 'v' || verb === 'T' ? '<nil>' : `%!${verb}(<nil>)`;
  const bad = `%!${verb}(${goType(value)}=${printed(value)})`;
  switch (verb) {
    case 'v':
      return printed(value);
    case 's':
      if (typeof value === 'number' || typeof value === 'boolean') return bad;
      return precision === undefined ? printed(value) : Array.from(printed(value)).slice(0, precision).join('');
    case 'q':
      return typeof value === 'string' ? goQuoted(value) : bad;
    case 't':
      return typeof value === 'boolean' ? String(value) : bad;
    case 'd':
      return Number.isInteger(value) ? signed(Number(value), String(value), flags) : bad;
    case 'f':
      return typeof value === 'number' ? signed(value, value.toFixed(Math.min(100, precision ?? 6)), flags) : bad;
    case 'x':
    case 'X': {
      const hex = typeof value === 'number' ? value.toString(16) : Buffer.from(textOf(value)).toString('hex');
      return verb === 'X' ? hex.toUpperCase() : hex;
    }
    case 'T':
      return goType(value);
    default:
      return bad;
  }
}

function signed(number: number, written: string, flags: string): string {
  return flags.includes('+') && number >= 0 ? `+${written}` : written;
}

/** Widths are in characters; an emoji is one. */
function fitted(text: string, flags: string, characters: number): string {
  const width = characters + text.length - Array.from(text).length;
  if (flags.includes('-')) return text.padEnd(width);
  if (!flags.includes('0')) return text.padStart(width);
  const [, sign = '', digits = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  return sign + digits.padStart(width - sign.length, '0');
}

function goType(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}';
}
