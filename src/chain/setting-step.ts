/** Settings of a chain or branch that work like a handler: `repeats`, `maxAge`, `otherwise`. */
import { z } from 'zod';
import type { HandlerConfig } from '../config/config.ts';
import { defineTransform, type TransformDefinition } from './handler.ts';

export interface Setting extends Pick<TransformDefinition, 'create'> {
  /** As in the configuration: halts, metrics and `check` show it like the name of a handler. */
  readonly name: string;
  readonly summary: string;
}

/** A step before the handlers. @param at where the setting is written */
export function settingStep(chain: string, { summary, ...setting }: Setting, at: string): HandlerConfig {
  const options = z.strictObject({});
  const definition = defineTransform({ ...setting, summary, description: summary, options, examples: [] });
  return { id: `${chain}/${setting.name}`, definition, options: {}, secrets: [], at };
}
