/** The shortest form of a user's handler: a file whose default export is a plain function. */
import { z } from 'zod';
import type { Change } from '../change.ts';
import { defineTransform, type Halt, type HandlerContext, type HandlerDefinition } from './handler.ts';

/** A plain function also gets the keys of its `[[handler]]` table, unchecked, without `name` and `id`. */
export interface FunctionContext extends HandlerContext {
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * `export default (change, context) => { ... }`. Returning the change (or a copy), or nothing, passes it on; `halt(reason)`
 * stops it here; a throw is a failed attempt. It counts as a transform: it has 10 s, and runs again whenever the chain is
 * retried. A handler that delivers, and must not do so twice, is better made with `defineSink`.
 */
export type HandlerFunction = (
  change: Change,
  context: FunctionContext,
) => Change | Halt | undefined | void | Promise<Change | Halt | undefined | void>;

/** The definition of a plain function. It takes any option and reads every field. */
export function handlerOfFunction(name: string, handle: HandlerFunction): HandlerDefinition {
  return defineTransform({
    name,
    summary: `The function in ${name}.`,
    description: 'A plain function: returning the change, or nothing, passes it on.',
    options: z.looseObject({}),
    examples: [],
    create: (options) => ({
      async handle(change, context) {
        return (await handle(change, withOptions(context, options))) ?? change;
      },
    }),
  });
}

/** Adds `options` to the context itself: it is not shared with other calls, and its getters work on no other object. */
function withOptions(context: HandlerContext, options: FunctionContext['options']): FunctionContext {
  return Object.assign(context, { options });
}
