/** Values of a Go template as Liquid expressions, with what is known about their types. */
import { escapeOf } from '../../../../text/printable.ts';
import { GoTemplateError } from './ast.ts';

export type GoType =
  | 'string'
  | 'number'
  | 'boolean'
  | 'time'
  | 'any'
  | { readonly map: GoType }
  | { readonly list: GoType }
  /** The name of one of the structs in fields.ts. */
  | { readonly struct: string };

export interface Value {
  /** `event.reason`, `"text"`, `change.object.count | default: 0`, `event.reason == "Upgraded"`. */
  readonly liquid: string;
  readonly type: GoType;
  /** It has filters or comparisons: it can be assigned or output, but not be an argument. */
  readonly isCompound?: boolean;
  /** A comparison without filters: may be combined with others by `and` or `or`. */
  readonly isComparison?: boolean;
  /** Taken from a map by a dot: prints as `<no value>` if absent. */
  readonly mayBeNil?: boolean;
  /** The value, if it is a literal. */
  readonly literal?: string | number | boolean;
}

/** A value that is looked up, or derived from one by filters. */
export function valueOf(liquid: string, type: GoType): Value {
  return { liquid, type, isCompound: liquid.includes(' | ') || liquid === 'nil' };
}

export function literalOf(literal: string | number | boolean): Value {
  if (typeof literal === 'string') return { liquid: quoted(literal), type: 'string', literal };
  return { liquid: String(literal), type: typeof literal === 'number' ? 'number' : 'boolean', literal };
}

/** A Liquid string. Whatever would end a string or a tag is escaped by its code point. */
export function quoted(text: string): string {
  return `"${text.replace(/["\\\p{Cc}]|\{(?=[{%])|[}%](?=\})/gu, escaped)}"`;
}

function escaped(character: string): string {
  return character === '\n' ? '\\n' : escapeOf(character);
}

/** `involved.labels.app`, `event.metadata.annotations["a.b/c"]` */
export function member(of: string, key: string): string {
  // Liquid takes `.size` for the number of labels, unless one has that name.
  if (key === 'size') return `${of} | go_index: "size"`;
  return /^[A-Za-z_]\w*$/.test(key) ? `${of}.${key}` : `${of}[${quoted(key)}]`;
}

export function isMap(type: GoType): type is { readonly map: GoType } {
  return typeof type === 'object' && 'map' in type;
}

export function isList(type: GoType): type is { readonly list: GoType } {
  return typeof type === 'object' && 'list' in type;
}

/** The struct's name, if it is one. */
export function structOf(type: GoType): string | undefined {
  return typeof type === 'object' && 'struct' in type ? type.struct : undefined;
}

/** Go prints all fields of a struct in order, some of them as memory addresses, which cannot be reproduced. */
export function refuseStruct(type: GoType): void {
  if (structOf(type) !== undefined)
    throw new GoTemplateError(`${typeName(type)} cannot be printed as a whole: name a field of it, or use toJson`);
}

/** For people. */
export function typeName(type: GoType): string {
  if (isMap(type)) return 'a map';
  if (isList(type)) return 'a list';
  return typeof type === 'object' ? type.struct : `a ${type}`;
}
