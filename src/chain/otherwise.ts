/** A branch with `otherwise = true` gets what no other branch takes, as the first step of that branch. */
import type { Change } from '../change.ts';
import type { HandlerConfig } from '../config/config.ts';
import { halt, isHalt, type HandlerContext, type TransformDefinition, type TransformInstance } from './handler.ts';
import { settingStep, type Setting } from './setting-step.ts';

/** A branch beside the one with `otherwise`. */
export interface Sibling {
  /** As in the file. */
  readonly name: string;
  readonly handlers: readonly HandlerConfig[];
}

interface Match {
  readonly definition: TransformDefinition;
  readonly options: HandlerConfig['options'];
}

/** Whether the branch begins with a `match`, so that it does not take everything. */
export function isSelective({ handlers }: Sibling): boolean {
  return leadingMatches(handlers).length > 0;
}

/** The step: a change halts here if it passes the `match` handlers with which another branch begins. */
export function otherwiseStep(chain: string, siblings: readonly Sibling[], at: string): HandlerConfig {
  const takers = siblings.map(({ name, handlers }) => ({ name, matches: leadingMatches(handlers) }));
  const setting: Setting = {
    name: 'otherwise',
    summary: 'Halts what another branch takes.',
    create(_, environment) {
      const compiled = takers.map(({ name, matches }) => {
        return { name, instances: matches.map((one) => one.definition.create(one.options, environment)) };
      });
      return {
        async handle(change, context) {
          const failures: unknown[] = [];
          for (const { name, instances } of compiled) {
            try {
              if (await passes(change, context, instances)) return halt(`branch "${name}" takes it`);
            } catch (failure) {
              failures.push(failure);
            }
          }
          // Only what no other branch takes has to know: a template that fails must not fail the changes of all the others.
          if (failures.length > 0) throw failures[0];
          return change;
        },
      };
    },
  };
  return settingStep(chain, setting, at);
}

async function passes(
  change: Change,
  context: HandlerContext,
  matches: readonly TransformInstance[],
): Promise<boolean> {
  for (const match of matches) if (isHalt(await match.handle(change, context))) return false;
  return true;
}

/** The `match` handlers at the beginning; a `quiet` says when, not what. */
function leadingMatches(handlers: readonly HandlerConfig[]): readonly Match[] {
  const matches: Match[] = [];
  for (const { definition, options } of handlers.filter((one) => one.definition.name !== 'quiet')) {
    if (definition.type !== 'transform' || definition.name !== 'match') break;
    matches.push({ definition, options });
  }
  return matches;
}
