/**
 * kubernetes-event-exporter expands `$VAR` and `${VAR}` in the whole file before it reads the YAML (Go's os.ExpandEnv). Here
 * variables are marked first, and each mark later becomes a reference of ours, so that `import` prints no secret and no value can
 * change the structure of the file. Unlike there, `$$` is a dollar sign, and the variables of Go templates survive.
 */
import { literal } from '../../expand.ts';
import type { AdapterOptions } from '../adapter.ts';

/** Unicode noncharacters, reserved for internal use: no text holds them. */
const OPEN = '\uFDD0';
const CLOSE = '\uFDD1';
const MARK = /\uFDD0([^\uFDD1]*)\uFDD1/g;
const OUR_VARIABLE = /^[A-Za-z_]\w*$/;

/** `$$`, `${name}`, an unclosed `${`, `$name`, one of the shell's own one-character names; `{{`, `}}` and quotes for templates. */
const TOKEN = /\$\$|\$\{([^}]*)\}|\$\{|\$([A-Za-z_]\w*)|\$([*#@!?\-0-9])|\{\{|\}\}|["`]/g;

export class ExporterEnvironment {
  readonly #env: NodeJS.ProcessEnv;
  readonly #unset: AdapterOptions['unset'];
  readonly #missing = new Map<string, number>();

  constructor({ env, unset }: Pick<AdapterOptions, 'env' | 'unset'>) {
    this.#env = env;
    this.#unset = unset;
  }

  /** Variables used outside of comments that are not set, each with its first line. */
  get missing(): ReadonlyMap<string, number> {
    return this.#missing;
  }

  /** The file's text with every variable marked. Line numbers stay the same. */
  mark(text: string): string {
    let inAction = false;
    let quote = '';
    let lineNumber: number | undefined;
    const replaced = (token: string, braced?: string, plain?: string, special?: string): string => {
      if (token === '{{' || token === '}}') {
        if (quote === '') inAction = token === '{{';
        return token;
      }
      if (token === '"' || token === '`') {
        if (inAction && (quote === '' || quote === token)) quote = quote === '' ? token : '';
        return token;
      }
      if (token === '$$') return '$';
      const name = braced ?? plain ?? special ?? '';
      // In a template `$1` and `${1}` are groups of a regular expression, and `$x` outside of strings is a template variable.
      const isTemplates = inAction && (/^\d+$/.test(name) || (plain !== undefined && quote === ''));
      return isTemplates ? token : this.#marked(name, lineNumber);
    };
    const lines = text.replaceAll(OPEN, '').split('\n');
    const marked = lines.map((line, index) => {
      const isComment = /^\s*#/.test(line) && !inAction;
      lineNumber = isComment ? undefined : index + 1;
      const own = line.replace(TOKEN, replaced);
      // Quotes may be escaped by YAML, the template or both: reset after a comment, or a line that closes its last action.
      if (isComment || line.lastIndexOf('}}') > line.lastIndexOf('{{')) [inAction, quote] = [false, ''];
      return own;
    });
    return marked.join('\n');
  }

  /** A text for our configuration: marks become references, and what only looks like a reference is escaped. */
  reference(text: string): string {
    const escaped = literal(text);
    return escaped.replace(MARK, (_, name: string, at: number) =>
      // A dollar sign right before a reference would escape it.
      OUR_VARIABLE.test(name) && escaped[at - 1] !== '$' ? `\${${name}}` : literal(this.#value(name)),
    );
  }

  /** A text with the values filled in: for what does not stay a text, such as a number, and for names. */
  resolve(text: string): string {
    return text.replace(MARK, (_, name: string) => this.#value(name));
  }

  /** The variables of a marked text that are not set; none if what is not set is empty, since those have no mark. */
  unsetIn(text: string): readonly string[] {
    return [...text.matchAll(MARK)].flatMap(([, name = '']) => (this.#env[name] === undefined ? [name] : []));
  }

  /** A text with those variables filled in that hold templates, so that they are parsed as part of it. */
  withTemplates(text: string): string {
    return text.replace(MARK, (mark, name: string) => (this.#value(name).includes('{{') ? this.#value(name) : mark));
  }

  /** @param line undefined in a comment */
  #marked(name: string, line: number | undefined): string {
    if (name === '') return '';
    if (this.#env[name] === undefined) {
      if (line !== undefined && !this.#missing.has(name)) this.#missing.set(name, line);
      if (this.#unset === 'empty' || !OUR_VARIABLE.test(name)) return '';
    }
    return `${OPEN}${name}${CLOSE}`;
  }

  #value(name: string): string {
    return this.#env[name] ?? '';
  }
}
