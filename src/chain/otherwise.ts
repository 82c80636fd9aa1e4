/** A branch with `otherwise = true` gets what no other branch takes, as the first step of that branch. */
import { z } from 'zod';
import type { Change } from '../change.ts';
import type { HandlerConfig } from '../config/config.ts';
import { defineTransform, halt, isHalt, type HandlerContext, type TransformDefinition } from './handler.ts';

/** A branch beside the one with `otherwise`. */
export interface Sibling {
  /** As in the file. */
  readonly name: string;
  readonly handlers: readonly HandlerConfig[];
}

interface Condition {
  readonly definition: TransformDefinition;
  readonly options: HandlerConfig['options'];
}

/** Whether the branch begins with a condition, so that it does not take everything. */
export function isSelective({ handlers }: Sibling): boolean {
  return conditionsOf(handlers).length > 0;
}

/** The step: a change halts here if it passes the `match` handlers with which another branch begins. */
export function otherwiseRule(chain: string, siblings: readonly Sibling[], at: string): HandlerConfig {
  const summary = 'Halts what another branch takes.';
  const takers = siblings.map(({ name, handlers }) => ({ name, conditions: conditionsOf(handlers) }));
  const definition = defineTransform({
    name: 'otherwise',
    summary,
    description: summary,
    options: z.strictObject({}),
    examples: [],
    looksUpInvolved: true,
    create(_, environment) {
      const compiled = takers.map(({ name, conditions }) => {
        return { name, instances: conditions.map((one) => one.definition.create(one.options, environment)) };
      });
      return {
        async handle(change, context) {
          for (const { name, instances } of compiled) {
            if (await passes(change, context, instances)) return halt(`branch "${name}" takes it`);
          }
          return change;
        },
      };
    },
  });
  return { id: `${chain}/otherwise`, definition, options: {}, at };
}

async function passes(
  change: Change,
  context: HandlerContext,
  conditions: readonly ReturnType<TransformDefinition['create']>[],
): Promise<boolean> {
  for (const condition of conditions) if (isHalt(await condition.handle(change, context))) return false;
  return true;
}

/** The `match` handlers at the beginning; a `quiet` says when, not what. */
function conditionsOf(handlers: readonly HandlerConfig[]): readonly Condition[] {
  const conditions: Condition[] = [];
  for (const { definition, options } of handlers.filter((one) => one.definition.name !== 'quiet')) {
    if (definition.type !== 'transform' || definition.name !== 'match') break;
    conditions.push({ definition, options });
  }
  return conditions;
}
