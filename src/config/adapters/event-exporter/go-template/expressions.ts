/** Pipelines of a Go template as Liquid expressions. */
import { RE2JS } from 're2js';
import { toError } from '../../../../errors.ts';
import { own } from '../../../../json.ts';
import { didYouMean } from '../../../../text/near.ts';
import { GoTemplateError, type Command, type Operand, type Pipe } from './ast.ts';
import { GO_NAMES, TIME_FIELDS, type Struct } from './fields.ts';
import { functionOf, type GoFunction } from './functions.ts';
import { isMap, literalOf, member, refuseStruct, structOf, typeName, valueOf, type Value } from './value.ts';

const NIL: Value = { liquid: 'nil', type: 'any' };

/**
 * Translates pipelines one after the other. Liquid has no parentheses, so the arguments of filters are assigned to variables
 * first, see {@link takeAssignments}.
 */
export class Expressions {
  /** What `.` stands for. */
  dot: Value;
  readonly #structs: Readonly<Record<string, Struct>>;
  /** Variables of the enclosing blocks, the innermost last. */
  readonly #scopes: Map<string, Value>[];
  #before = '';
  #names = 0;

  constructor(structs: Readonly<Record<string, Struct>>, root: Value) {
    this.#structs = structs;
    this.dot = root;
    this.#scopes = [new Map([['$', root]])];
  }

  /** The assignments that must precede what was translated since the last call. */
  takeAssignments(): string {
    const before = this.#before;
    this.#before = '';
    return before;
  }

  /** Runs `inside` with its own variables and its own `.`, like a block of the template. */
  inBlock<T>(inside: () => T): T {
    const outerDot = this.dot;
    this.#scopes.push(new Map());
    try {
      return inside();
    } finally {
      this.#scopes.pop();
      this.dot = outerDot;
    }
  }

  /** Copies the value to a variable: its source, such as a loop's index, has another meaning in inner blocks. */
  declare(name: string, value: Value): Value {
    const declared = structOf(value.type) === undefined ? this.#copied(name, value) : value;
    this.#scopes.at(-1)?.set(name, declared);
    return declared;
  }

  /** The value of a pipeline, also assigned to its variable. */
  pipe(pipe: Pipe): Value {
    const value = this.value(pipe);
    const [name] = pipe.variables;
    if (name === undefined) return value;
    if (pipe.variables.length > 1) throw new GoTemplateError('only range can set two variables');
    return pipe.assigns ? this.#assign(name, value) : this.declare(name, value);
  }

  /** The value of a pipeline, ignoring its variables. */
  value({ commands }: Pipe): Value {
    const [first = [], ...others] = commands;
    let value = this.#command(first);
    for (const command of others) value = this.#command(command, value);
    return value;
  }

  /** The value as an argument or as the base of a field: assigned to a variable first if necessary. */
  primary(value: Value): string {
    const liquid = this.#whole(value);
    if (liquid === value.liquid && value.isCompound !== true) return liquid;
    return this.#assigned(this.fresh('t'), liquid);
  }

  fresh(stem: string): string {
    return `${stem}_${++this.#names}`;
  }

  /** A condition for `if`: true for what Go takes as true. */
  condition(value: Value): string {
    if (value.type === 'boolean') return value.liquid;
    return `${value.liquid} | go_truth`;
  }

  #copied(name: string, { liquid, type, mayBeNil = false }: Value): Value {
    return { liquid: this.#assigned(this.fresh(`v_${name.slice(1)}`), liquid), type, mayBeNil };
  }

  #assign(name: string, value: Value): Value {
    const scope = this.#scopes.findLast((candidate) => candidate.has(name));
    const known = scope?.get(name);
    if (scope === undefined || known === undefined) throw new GoTemplateError(`undefined variable "${name}"`);
    this.#assigned(known.liquid, this.#whole(value));
    const isSameType = JSON.stringify(known.type) === JSON.stringify(value.type);
    const assigned = { liquid: known.liquid, type: isSameType ? known.type : ('any' as const) };
    scope.set(name, assigned);
    return assigned;
  }

  #assigned(name: string, liquid: string): string {
    this.#before += `{% assign ${name} = ${liquid} %}`;
    return name;
  }

  #command(operands: Command, piped?: Value): Value {
    const [first, ...rest] = operands;
    if (first === undefined) throw new GoTemplateError('a value is missing');
    const args = [...rest.map((operand) => this.#operand(operand)), ...(piped === undefined ? [] : [piped])];
    if (first.type === 'name') return this.#call(first.name, args);
    if (first.type === 'field' && args.length > 0) return this.#method(this.#operand(first.of), first.name, args);
    if (args.length > 0) throw new GoTemplateError('only functions can take arguments');
    return this.#operand(first);
  }

  #operand(operand: Operand): Value {
    switch (operand.type) {
      case 'dot':
        return this.dot;
      case 'nil':
        return NIL;
      case 'boolean':
      case 'number':
      case 'string':
        return literalOf(operand.value);
      case 'variable':
        return this.#variable(operand.name);
      case 'name':
        return this.#call(operand.name, []);
      case 'pipe':
        return this.value(operand.pipe);
      case 'field':
        return this.#field(this.#operand(operand.of), operand.name);
    }
  }

  #variable(name: string): Value {
    const value = this.#scopes.findLast((scope) => scope.has(name))?.get(name);
    if (value === undefined) throw new GoTemplateError(`undefined variable "${name}"`);
    return value;
  }

  #field(of: Value, name: string): Value {
    const struct = structOf(of.type);
    if (struct !== undefined) return this.#structField(of, struct, name);
    if (of.liquid === NIL.liquid) throw new GoTemplateError(`nil has no field .${name}`);
    if (of.type === 'time') return this.#timeField(of, name);
    if (isMap(of.type)) return { ...valueOf(member(this.primary(of), name), of.type.map), mayBeNil: true };
    if (of.type === 'any') return { ...valueOf(member(this.primary(of), name), 'any'), mayBeNil: true };
    throw new GoTemplateError(`there is no field .${name} in ${typeName(of.type)}`);
  }

  #structField(of: Value, struct: string, name: string): Value {
    const { fields = {} } = this.#structs[struct] ?? {};
    const field = own(fields, name);
    if (field === undefined) {
      const where = struct === 'Event' ? 'an Event' : struct;
      const names = Object.keys(fields).filter((known) => !isGetter(known, fields));
      const near =
        didYouMean(GO_NAMES.get(name.toLowerCase()) ?? name, names) || `; its fields are ${names.join(', ')}`;
      throw new GoTemplateError(`there is no field .${name} in ${where}${near}`);
    }
    if (field.literal !== undefined) return literalOf(field.literal);
    if (!field.liquid.startsWith('.')) return valueOf(field.liquid, field.type);
    return valueOf(`${of.isCompound === true ? this.primary(of) : of.liquid}${field.liquid}`, field.type);
  }

  #timeField(of: Value, name: string): Value {
    const field = own(TIME_FIELDS, name);
    if (field === undefined)
      throw new GoTemplateError(`.${name} of a time is not supported${didYouMean(name, Object.keys(TIME_FIELDS))}`);
    return field.filter === undefined ? of : valueOf(`${of.liquid} | ${field.filter}`, field.type);
  }

  /** A field with arguments. */
  #method(of: Value, name: string, args: readonly Value[]): Value {
    if (of.type === 'time' && name === 'Format' && args.length === 1) return this.#call('date', [...args, of]);
    throw new GoTemplateError(`.${name} takes no arguments`);
  }

  #call(name: string, args: readonly Value[]): Value {
    const known = functionOf(name, args.length);
    if (name.startsWith('regex')) refusePattern(name, args[0]?.literal);
    return this.#native(name, args) ?? this.#filter(known, args);
  }

  /** What Liquid can express without a filter. */
  #native(name: string, args: readonly Value[]): Value | undefined {
    const [left, right] = args;
    if (name === 'and' || name === 'or') {
      if (args.length < 2 || !args.every(({ isComparison }) => isComparison === true)) return undefined;
      return { liquid: args.map(({ liquid }) => liquid).join(` ${name} `), type: 'boolean', isCompound: true };
    }
    if (left === undefined || right === undefined || args.length !== 2) return undefined;
    if (name === 'index' && isMap(left.type) && typeof right.literal === 'string')
      return valueOf(member(this.primary(left), right.literal), left.type.map);
    if (
      (name === 'eq' || name === 'ne') &&
      isPlainText(left) &&
      typeof right.literal === 'string' &&
      // To Go, what a map lacks is not the empty text, unlike what an Event lacks.
      (right.literal !== '' || left.mayBeNil === true)
    ) {
      const liquid = `${left.liquid} ${name === 'eq' ? '==' : '!='} ${right.liquid}`;
      return { liquid, type: 'boolean', isCompound: true, isComparison: true };
    }
    return undefined;
  }

  #filter(known: GoFunction, given: readonly Value[]): Value {
    const { filter, type, input } = known;
    const args = given.map((arg) => present(arg, known));
    const at = input === -1 ? args.length - 1 : input;
    const of = args[at] ?? NIL;
    const others = args.filter((_, index) => index !== at).map((arg) => this.primary(arg));
    const [name = '', first] = filter.split(': ');
    const empty = known.writesJson === true ? this.#structs[structOf(of.type) ?? '']?.empty : undefined;
    const parameters = [first, ...others, empty].filter((parameter) => parameter !== undefined);
    const call = parameters.length === 0 ? name : `${name}: ${parameters.join(', ')}`;
    const result = typeof type === 'function' ? type(args.map((arg) => arg.type)) : type;
    return { liquid: `${this.#whole(of)} | ${call}`, type: result, isCompound: true };
  }

  /** A struct used as a value is taken whole, with what is known about the involved object. */
  #whole({ liquid, type }: Value): string {
    return this.#structs[structOf(type) ?? '']?.whole ?? liquid;
  }
}

/** Another name of a field. */
function isGetter(name: string, fields: Struct['fields']): boolean {
  return name.startsWith('Get') && Object.hasOwn(fields, name.slice('Get'.length));
}

/** @throws GoTemplateError for an invalid pattern: with it, kubernetes-event-exporter would send nothing, or find nothing */
function refusePattern(name: string, pattern: Value['literal']): void {
  try {
    RE2JS.compile(String(pattern ?? ''));
  } catch (thrown) {
    throw new GoTemplateError(`${name} needs a pattern in RE2's syntax: ${toError(thrown).message}`);
  }
}

/** The argument as Go has it if the Event lacks it: an empty text, or Go's zero time. */
function present(arg: Value, { needsValue = false, writesOutput = false }: GoFunction): Value {
  if (writesOutput) refuseStruct(arg.type);
  if (arg.type === 'time' && writesOutput) return valueOf(`${arg.liquid} | go_time`, 'string');
  const canBeAbsent = arg.type === 'string' && arg.literal === undefined && arg.mayBeNil !== true;
  return needsValue && canBeAbsent ? valueOf(`${arg.liquid} | default: ""`, 'string') : arg;
}

/** If absent, Go takes it as the empty text, which makes no difference when comparing with a non-empty text. */
function isPlainText({ type, isCompound, literal }: Value): boolean {
  return type === 'string' && isCompound !== true && literal === undefined;
}
