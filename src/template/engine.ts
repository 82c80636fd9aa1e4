/**
 * Liquid, closed in: own properties only, no files, no environment, and every render is bounded in time, steps, memory and output.
 * Templates are the configuration's, but what they work on comes from the cluster: nothing in a manifest may hold a render up.
 */
import { CaptureTag, Context, Liquid, toValueSync, type Emitter, type Template as LiquidNode } from 'liquidjs';
import { textOf } from './filters/text.ts';
import { registerFilters } from './filters.ts';
import { withLongNumbers } from './long-number.ts';

/** Characters of one rendered text, or of all leaves of a layout: more than the largest object that etcd holds. */
const MAX_OUTPUT_CHARS = 4 * 1024 * 1024;
/** Nodes (text, output, tag) that one render may pass through, each turn of a loop anew: half a second's worth. */
const MAX_STEPS = 100_000;
/** For what is slow in a single step. */
const MAX_RENDER_MS = 1_000;
/** In liquidjs's measure: characters that filters handle, elements of lists that they make. */
const MEMORY_LIMIT = 16 * 1024 * 1024;
const MAX_SOURCE_CHARS = 256 * 1024;

/** They read files, write into what is rendered, or make a retry differ from the first attempt. */
const REFUSED_TAGS: readonly string[] = ['include', 'render', 'layout', 'block', 'increment', 'decrement'];
const REFUSED_FILTERS: readonly string[] = ['sample'];

/** What one render may use in all: shared by the leaves of a layout. */
export class Budget {
  readonly #until = performance.now() + MAX_RENDER_MS;
  #steps = 0;
  #chars = 0;

  /** liquidjs asks before every node, with the monotonic time. @throws when steps or time are used up */
  check(now: number): void {
    if (++this.#steps > MAX_STEPS) throw new Error(`takes more than ${MAX_STEPS} steps`);
    if (now > this.#until) throw new Error(`takes more than ${MAX_RENDER_MS} ms`);
  }

  /** @throws when more has been written than {@link MAX_OUTPUT_CHARS} */
  write(chars: number): void {
    this.#chars += chars;
    if (this.#chars > MAX_OUTPUT_CHARS) throw new Error(`writes more than ${MAX_OUTPUT_CHARS} characters`);
  }
}

/** Collects a text. Lists and objects are written as JSON, where liquidjs would write `[object Object]`. */
class TextEmitter implements Emitter {
  buffer = '';
  readonly #written: (chars: number) => void;

  constructor(written: (chars: number) => void) {
    this.#written = written;
  }

  write(value: unknown): void {
    const text = textOf(value);
    this.#written(text.length);
    this.buffer += text;
  }
}

/** liquidjs does not count what is captured; doubled in a loop it grows without end. */
class BoundedCapture extends CaptureTag {
  override *render(context: Context): Generator<unknown, void, string> {
    const emitter = new TextEmitter((chars) => context.memoryLimit.use(chars));
    yield this.liquid.renderer.renderTemplates(this.templates, context, emitter);
    (context.bottom() as Record<string, unknown>)[this.variable] = emitter.buffer;
  }
}

class ScopeContext extends Context {
  override readProperty(...of: Parameters<Context['readProperty']>): unknown {
    return withLongNumbers(super.readProperty(...of));
  }
}

function createEngine(): Liquid {
  const liquid = new Liquid({
    ownPropertyOnly: true,
    strictFilters: true,
    // Without them, the machine's own would show in what is sent.
    timezoneOffset: 0,
    locale: 'en-US',
    dateFormat: '%Y-%m-%dT%H:%M:%S%:z',
    templates: {},
    parseLimit: MAX_SOURCE_CHARS,
    memoryLimit: MEMORY_LIMIT,
  });
  for (const tag of REFUSED_TAGS) delete liquid.tags[tag];
  for (const filter of REFUSED_FILTERS) delete liquid.filters[filter];
  liquid.registerTag('capture', BoundedCapture);
  registerFilters(liquid);
  return liquid;
}

/** The one engine: it holds tags and filters, and no state. */
export const engine: Liquid = createEngine();

/** Renders nodes as text. @throws liquidjs's error, with the place */
export function renderText(nodes: LiquidNode[], scope: object, budget: Budget): string {
  const emitter = new TextEmitter((chars) => budget.write(chars));
  toValueSync(engine.renderer.renderTemplates(nodes, contextOf(scope, budget), emitter) as Generator);
  return emitter.buffer;
}

/** The context of one render. */
export function contextOf(scope: object, budget: Budget): Context {
  const context = new ScopeContext(scope, engine.options, { sync: true }, { liquid: engine });
  // Its own limit knows the time only.
  context.renderLimit = budget as unknown as Context['renderLimit'];
  return context;
}
