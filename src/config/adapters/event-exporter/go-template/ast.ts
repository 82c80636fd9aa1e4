/** The syntax tree of a Go text/template, as far as configurations of kubernetes-event-exporter need it. */

export type TemplateNode =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'action'; readonly pipe: Pipe }
  | { readonly type: 'if' | 'with' | 'range'; readonly pipe: Pipe; readonly body: Nodes; readonly otherwise: Nodes }
  | { readonly type: 'break' | 'continue' };

export type Nodes = readonly TemplateNode[];

/** `$a, $b := first | second` */
export interface Pipe {
  readonly variables: readonly string[];
  /** `=` instead of `:=`. */
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

/** `printf "%s" .Reason`: the first operand is a function if it is a name, otherwise the only one. */
export type Command = readonly Operand[];

export type Operand =
  | { readonly type: 'dot' }
  | { readonly type: 'nil' }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'number'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  /** The name of a function. */
  | { readonly type: 'name'; readonly name: string }
  /** `$x`, or `$` for the input of the whole template. */
  | { readonly type: 'variable'; readonly name: string }
  | { readonly type: 'pipe'; readonly pipe: Pipe }
  /** `.Reason`, `.Source.Component`, `$x.Name`, `(f .x).Name`. */
  | { readonly type: 'field'; readonly of: Operand; readonly name: string };

/** What is wrong with a template, for the user. */
export class GoTemplateError extends Error {
  override readonly name = 'GoTemplateError';
}
