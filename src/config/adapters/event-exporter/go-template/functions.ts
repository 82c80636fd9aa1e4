/**
 * The functions of Go's text/template and of sprig that templates may call, and the filter for each.
 * Left out on purpose: `env` and `expandenv`, which would put secrets into messages, and lookups, which would leave the cluster.
 */
import { own } from '../../../../json.ts';
import { didYouMean } from '../../../../text/near.ts';
import { GoTemplateError } from './ast.ts';
import { isList, isMap, type GoType } from './value.ts';

export interface GoFunction {
  readonly filter: string;
  /** The type of the result, given those of the arguments. */
  readonly type: GoType | ((types: readonly GoType[]) => GoType);
  readonly min: number;
  readonly max: number;
  /** Which argument the filter is applied to: -1 is the last. The others follow in order. */
  readonly input: number;
  /** It distinguishes an empty text from nil, so what an Event lacks must be turned into the empty text. */
  readonly needsValue?: boolean;
  /** It writes its arguments, including times, as texts. */
  readonly writesOutput?: boolean;
  readonly writesJson?: boolean;
}

type ResultType = GoFunction['type'];

/** Applied to the first argument, as for Go's own functions. */
function onFirst(filter: string, type: ResultType, min: number, max = min): GoFunction {
  return { filter, type, min, max, input: 0 };
}

/** Applied to the last argument, which a pipeline fills in. */
function onLast(filter: string, type: ResultType, count: number): GoFunction {
  return { filter, type, min: count, max: count, input: -1 };
}

function minding(known: GoFunction): GoFunction {
  return { ...known, needsValue: true };
}

function writing(known: GoFunction): GoFunction {
  return { ...known, needsValue: true, writesOutput: true };
}

function json(filter: string): GoFunction {
  return { ...minding(onLast(filter, 'string', 1)), writesJson: true };
}

const MANY = Infinity;

/** The type that they all share. */
function common(types: readonly GoType[]): GoType {
  const [first = 'any', ...others] = types;
  return others.every((other) => JSON.stringify(other) === JSON.stringify(first)) ? first : 'any';
}

function elementOf([of = 'any']: readonly GoType[]): GoType {
  if (isMap(of)) return of.map;
  return isList(of) ? of.list : 'any';
}

const FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  eq: onFirst('go_eq', 'boolean', 2, MANY),
  ne: onFirst('go_ne', 'boolean', 2),
  lt: minding(onFirst('go_lt', 'boolean', 2)),
  le: minding(onFirst('go_le', 'boolean', 2)),
  gt: minding(onFirst('go_gt', 'boolean', 2)),
  ge: minding(onFirst('go_ge', 'boolean', 2)),
  and: onFirst('go_and', common, 1, MANY),
  or: onFirst('go_or', common, 1, MANY),
  not: onFirst('go_not', 'boolean', 1),
  len: onFirst('go_len', 'number', 1),
  index: onFirst('go_index', elementOf, 2, MANY),
  print: writing(onFirst('go_print', 'string', 1, MANY)),
  printf: writing(onFirst('go_printf', 'string', 1, MANY)),

  upper: onLast('upcase', 'string', 1),
  lower: onLast('downcase', 'string', 1),
  title: onLast('go_title', 'string', 1),
  trim: onLast('go_trim', 'string', 1),
  trimAll: onLast('go_trim_all', 'string', 2),
  trimPrefix: onLast('go_trim_prefix', 'string', 2),
  trimSuffix: onLast('go_trim_suffix', 'string', 2),
  trimall: onLast('go_trim_all', 'string', 2),
  nospace: onLast('go_nospace', 'string', 1),
  trunc: onLast('go_trunc', 'string', 2),
  abbrev: onLast('go_abbrev', 'string', 2),
  substr: onLast('go_substr', 'string', 3),
  repeat: onLast('go_repeat', 'string', 2),
  indent: onLast('go_indent', 'string', 2),
  nindent: onLast('go_nindent', 'string', 2),
  quote: writing(onFirst('go_quote', 'string', 1, MANY)),
  squote: writing(onFirst('go_squote', 'string', 1, MANY)),
  cat: writing(onFirst('go_cat', 'string', 1, MANY)),
  join: minding(onLast('go_join', 'string', 2)),
  split: onLast('go_split_map', { map: 'string' }, 2),
  splitList: onLast('go_split', { list: 'string' }, 2),
  replace: onLast('go_replace', 'string', 3),
  contains: onLast('go_contains', 'boolean', 2),
  hasPrefix: onLast('go_has_prefix', 'boolean', 2),
  hasSuffix: onLast('go_has_suffix', 'boolean', 2),
  toString: writing(onLast('go_print', 'string', 1)),
  b64enc: onLast('go_b64enc', 'string', 1),
  b64dec: onLast('go_b64dec', 'string', 1),
  sha256sum: onLast('go_sha256sum', 'string', 1),
  html: writing(onFirst('escape', 'string', 1)),
  urlquery: writing(onFirst('go_urlquery', 'string', 1)),

  default: onLast('go_default', common, 2),
  coalesce: onFirst('go_coalesce', common, 1, MANY),
  empty: onLast('go_not', 'boolean', 1),
  ternary: onLast('go_ternary', ([yes = 'any', no = 'any']) => common([yes, no]), 3),

  toJson: json('go_json'),
  toPrettyJson: json('go_pretty_json'),
  toRawJson: json('go_raw_json'),
  mustToJson: json('go_json'),
  mustToPrettyJson: json('go_pretty_json'),
  mustToRawJson: json('go_raw_json'),

  regexMatch: onLast('regex_match', 'boolean', 2),
  regexFind: onLast('regex_find', 'string', 2),
  regexReplaceAllLiteral: { filter: 'go_regex_replace_literal', type: 'string', min: 3, max: 3, input: 1 },
  regexReplaceAll: { filter: 'go_regex_replace', type: 'string', min: 3, max: 3, input: 1 },

  int: onLast('go_int', 'number', 1),
  int64: onLast('go_int', 'number', 1),
  atoi: onLast('go_int', 'number', 1),
  add: onFirst('go_add', 'number', 1, MANY),
  add1: onLast('go_add: 1', 'number', 1),
  sub: onFirst('go_sub', 'number', 2),
  mul: onFirst('go_mul', 'number', 1, MANY),
  div: onFirst('go_div', 'number', 2),
  mod: onFirst('go_mod', 'number', 2),
  max: onFirst('go_max', 'number', 1, MANY),
  biggest: onFirst('go_max', 'number', 1, MANY),
  min: onFirst('go_min', 'number', 1, MANY),

  now: { filter: 'go_now', type: 'time', min: 0, max: 0, input: -1 },
  date: onLast('go_date', 'string', 2),
  dateInZone: { filter: 'go_date_in_zone', type: 'string', min: 3, max: 3, input: 1 },
  date_in_zone: { filter: 'go_date_in_zone', type: 'string', min: 3, max: 3, input: 1 },
  htmlDate: onLast('go_date: "2006-01-02"', 'string', 1),
  unixEpoch: onLast('go_unix: "text"', 'string', 1),

  list: minding(onFirst('go_list', (types) => ({ list: common(types) }), 1, MANY)),
  dict: minding(onFirst('go_dict', { map: 'any' }, 2, MANY)),
  first: onLast('go_first', elementOf, 1),
  last: onLast('go_last', elementOf, 1),
  has: minding(onLast('go_has', 'boolean', 2)),
  get: onFirst('go_index', elementOf, 2),
  hasKey: onFirst('go_has_key', 'boolean', 2),
};

/** The function for `count` arguments. @throws GoTemplateError if it is unknown or takes another number of arguments */
export function functionOf(name: string, count: number): GoFunction {
  const known = own(FUNCTIONS, name);
  if (known === undefined) throw new GoTemplateError(unknownFunction(name));
  if (count < known.min || count > known.max)
    throw new GoTemplateError(`${name} takes ${countOf(known)}, not ${count}`);
  return known;
}

function countOf({ min, max }: GoFunction): string {
  return `${min === max ? '' : 'at least '}${min} ${min === 1 ? 'argument' : 'arguments'}`;
}

const NO_ENVIRONMENT = 'a template cannot read the environment; write $NAME or ${NAME} in the file';
const REFUSED: Readonly<Record<string, string>> = {
  env: NO_ENVIRONMENT,
  expandenv: NO_ENVIRONMENT,
  getHostByName: 'a template cannot ask a name server',
};

function unknownFunction(name: string): string {
  const refusal = own(REFUSED, name);
  if (refusal !== undefined) return `the function ${name} is not available: ${refusal}`;
  return `the function ${name} is not supported${didYouMean(name, Object.keys(FUNCTIONS))}`;
}
