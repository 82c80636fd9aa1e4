/** Translates a Go template into a Liquid template that renders the same. */
import { GoTemplateError, type Nodes, type Pipe, type TemplateNode } from './ast.ts';
import { Expressions } from './expressions.ts';
import { structsOf, type FieldOptions } from './fields.ts';
import { parseGoTemplate } from './parser.ts';
import { isList, isMap, refuseStruct, typeName, valueOf, type GoType, type Value } from './value.ts';

/**
 * The Liquid of a Go template.
 * @param target in a layout, a template that is a single output would keep its type, so it is converted to Go's text for it
 * @throws GoTemplateError for what Go would refuse, or what is not supported
 */
export function translateGoTemplate(template: string, options: FieldOptions, target: 'text' | 'layout'): string {
  if (!template.includes('{{')) return escapedText(template, false);
  const nodes = parseGoTemplate(template);
  const liquid = new Translator(options, false).nodes(nodes, true);
  const isOneOutput = target === 'layout' && /^\{\{(?:(?!\{[{%])[^])*\}\}$/.test(liquid);
  return isOneOutput ? new Translator(options, true).nodes(nodes, true) : liquid;
}

type Block = Extract<TemplateNode, { readonly type: 'if' | 'with' | 'range' }>;

class Translator {
  readonly #expressions: Expressions;
  readonly #asText: boolean;

  constructor(options: FieldOptions, asText: boolean) {
    this.#expressions = new Expressions(structsOf(options), { liquid: 'event', type: { struct: 'Event' } });
    this.#asText = asText;
  }

  /** @param isTop nothing follows the last node */
  nodes(nodes: Nodes, isTop = false): string {
    const last = nodes.at(-1);
    return nodes.map((node) => this.#node(node, isTop && node === last)).join('');
  }

  #node(node: TemplateNode, isLast: boolean): string {
    switch (node.type) {
      case 'text':
        return escapedText(node.text, !isLast);
      case 'action':
        return this.#action(node.pipe);
      case 'range':
        return this.#expressions.inBlock(() => this.#range(node));
      case 'if':
      case 'with':
        return this.#expressions.inBlock(() => `${this.#conditional(node, 'if')}{% endif %}`);
      case 'break':
      case 'continue':
        return `{% ${node.type} %}`;
    }
  }

  #action(pipe: Pipe): string {
    const value = this.#expressions.pipe(pipe);
    const output = pipe.variables.length > 0 ? '' : this.#output(value);
    return this.#expressions.takeAssignments() + output;
  }

  /** A map or list that an Event lacks is written as an empty one. */
  #collection(value: Value): string {
    const name = this.#expressions.primary(value);
    return `{% if ${name} %}{{ ${name} | go_print }}{% else %}${isMap(value.type) ? 'map[]' : '[]'}{% endif %}`;
  }

  #output(value: Value): string {
    const { liquid, type, literal, mayBeNil } = value;
    if (literal !== undefined) return escapedText(String(literal), true);
    refuseStruct(type);
    if (type === 'time') return `{{ ${liquid} | go_time }}`;
    if (isMap(type) || isList(type)) return this.#collection(value);
    if (mayBeNil === true || type === 'any') return `{{ ${liquid} | go_print }}`;
    if (type === 'boolean') return `{{ ${liquid} | default: false${this.#asText ? ' | append: ""' : ''} }}`;
    if (!this.#asText) return `{{ ${liquid} }}`;
    return `{{ ${liquid} | ${type === 'string' ? 'default' : 'append'}: "" }}`;
  }

  /** Without the end tag. */
  #conditional(node: Block, tag: 'if' | 'elsif'): string {
    const value = this.#expressions.pipe(node.pipe);
    const subject = node.type === 'with' && value.isCompound === true ? this.#held(value) : value;
    const condition = this.#expressions.condition(subject);
    const before = this.#expressions.takeAssignments();
    const outside = this.#expressions.dot;
    if (node.type === 'with') this.#expressions.dot = subject;
    const then = this.nodes(node.body);
    this.#expressions.dot = outside;
    // The assignments for an `elsif` can only go inside an `else`.
    if (tag === 'elsif' && before !== '')
      return `{% else %}${before}{% if ${condition} %}${then}${this.#otherwise(node.otherwise)}{% endif %}`;
    return `${before}{% ${tag} ${condition} %}${then}${this.#otherwise(node.otherwise)}`;
  }

  #held(value: Value): Value {
    return { ...value, liquid: this.#expressions.primary(value), isCompound: false };
  }

  #otherwise(nodes: Nodes): string {
    const [only] = nodes;
    if (nodes.length === 0) return '';
    if (nodes.length === 1 && only?.type === 'if') return this.#conditional(only, 'elsif');
    return `{% else %}${this.nodes(nodes)}`;
  }

  #range({ pipe, body, otherwise }: Block): string {
    const over = this.#expressions.value(pipe);
    if (!isList(over.type) && !isMap(over.type) && over.type !== 'any')
      throw new GoTemplateError(`range needs a list or a map, not ${typeName(over.type)}`);
    const item = this.#expressions.fresh('item');
    const { entries, key, value } = partsOf(over, item);
    const collection = this.#expressions.primary(entries);
    const before = this.#expressions.takeAssignments();
    const turn = this.#expressions.inBlock(() => {
      this.#expressions.dot = value;
      const [first, second] = pipe.variables;
      if (second !== undefined && first !== undefined) this.#expressions.declare(first, key);
      const valueName = second ?? first;
      if (valueName !== undefined) this.#expressions.declare(valueName, value);
      return this.#expressions.takeAssignments() + this.nodes(body);
    });
    const empty = otherwise.length === 0 ? '' : `{% else %}${this.nodes(otherwise)}`;
    return `${before}{% for ${item} in ${collection} %}${turn}${empty}{% endfor %}`;
  }
}

/** What a loop iterates over, and its key and value in each iteration. */
function partsOf(over: Value, item: string): { readonly entries: Value; readonly key: Value; readonly value: Value } {
  if (isList(over.type)) {
    return { entries: over, key: valueOf('forloop.index0', 'number'), value: valueOf(item, over.type.list) };
  }
  const element: GoType = isMap(over.type) ? over.type.map : 'any';
  return {
    entries: { liquid: `${over.liquid} | go_entries`, type: 'any', isCompound: true },
    key: valueOf(`${item}[0]`, isMap(over.type) ? 'string' : 'any'),
    value: valueOf(`${item}[1]`, element),
  };
}

/** Text that Liquid leaves as it is. @param tagFollows a trailing brace would then open the tag too early */
function escapedText(text: string, tagFollows: boolean): string {
  return text.replace(tagFollows ? /\{(?=[{%]|$)/g : /\{(?=[{%])/g, '{{ "{" }}');
}
