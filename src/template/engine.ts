/**
 * Liquid in a sandbox: own properties only, no files, no environment, and every render bounded in time, steps, memory and output.
 * Templates are from the configuration, but their data is from the cluster: nothing in a manifest may stall a render.
 */
import { CaptureTag, Context, Liquid, toValueSync, type Emitter, type Template as LiquidNode } from 'liquidjs';
import { textOf } from './filters/text.ts';
import { registerFilters } from './filters.ts';
import { withLongNumbers } from './long-number.ts';

/** Characters of one rendered text, or of all leaves of a layout: more than the largest object that etcd holds. */
const MAX_OUTPUT_CHARS = 4 * 1024 * 1024;
/** Nodes (text, output, tag) that one render may visit, counted in each iteration of a loop: half a second's worth. */
const MAX_STEPS = 100_000;
/** For single steps that are slow. */
const MAX_RENDER_MS = 1_000;
/** In liquidjs's units: characters that filters process, elements of lists that they create. */
const MEMORY_LIMIT = 16 * 1024 * 1024;
const MAX_SOURCE_CHARS = 256 * 1024;

/** They read files, modify what is rendered, or make a retry differ from the first attempt. */
const REFUSED_TAGS: readonly string[] = ['include', 'render', 'layout', 'block', 'increment', 'decrement'];
const REFUSED_FILTERS: readonly string[] = ['sample'];

/** The resources of one render, shared by all leaves of a layout. */
export class Budget {
  readonly #until = performance.now() + MAX_RENDER_MS;
  #steps = 0;
  #chars = 0;

  /** Called by liquidjs before every node, with the monotonic time. @throws if steps or time are used up */
  check(now: number): void {
    if (++this.#steps > MAX_STEPS) throw new Error(`takes more than ${MAX_STEPS} steps`);
    if (now > this.#until) throw new Error(`takes more than ${MAX_RENDER_MS} ms`);
  }

  /** @throws if more has been written than {@link MAX_OUTPUT_CHARS} */
  write(chars: number): void {
    this.#chars += chars;
    if (this.#chars > MAX_OUTPUT_CHARS) throw new Error(`writes more than ${MAX_OUTPUT_CHARS} characters`);
  }
}

/** Collects a text. Writes lists and objects as JSON, not as `[object Object]` like liquidjs. */
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

/** liquidjs does not count captured text, which grows without end if doubled in a loop. */
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
    // Otherwise messages would depend on the machine's own settings.
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

/** The only engine. It has tags and filters, but no state. */
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
  // Replaces liquidjs's own limit, which covers time only.
  context.renderLimit = budget as unknown as Context['renderLimit'];
  return context;
}
