/** A chain that says what it would do: transforms decide as ever, sinks send nothing. */
import type { Change } from '../change.ts';
import {
  isHalt,
  type Halt,
  type HandlerContext,
  type HandlerDefinition,
  type StatefulContext,
} from '../chain/handler.ts';
import type { ChainConfig, HandlerConfig } from '../config/config.ts';
import type { Json } from '../json.ts';
import { printable } from '../log.ts';

/** The same chain with every answer printed, and with sinks that only say what they would do. One change at a time, in order. */
export function rehearsed(chain: ChainConfig, stdout: NodeJS.WritableStream): ChainConfig {
  const print = (handler: HandlerConfig, change: Change, verdict: string) => {
    const what = `${change.action} ${change.gvk.kind.toLowerCase()} ${change.key} @${change.resourceVersion}`;
    stdout.write(`${printable(`${what}  ${handler.id}: ${verdict}`)}\n`);
  };
  const handlers = chain.handlers.map((handler) => {
    return {
      ...handler,
      definition: rehearse(handler.definition, (change, verdict) => print(handler, change, verdict)),
    };
  });
  return { ...chain, handlers, concurrency: 1, retry: { ...chain.retry, retries: 0 } };
}

function rehearse(definition: HandlerDefinition, print: (change: Change, verdict: string) => void): HandlerDefinition {
  const answer = (change: Change, verdict: Change | Halt) => {
    print(change, isHalt(verdict) ? `halt (${verdict.reason})` : `pass${headlineOf(change, verdict)}`);
  };
  switch (definition.type) {
    case 'sink':
      return { ...definition, create: () => ({ deliver: async (change: Change) => print(change, 'would deliver') }) };
    case 'transform':
      return {
        ...definition,
        create(options, environment) {
          const instance = definition.create(options, environment);
          return {
            ...life(instance),
            async handle(change: Change, context: HandlerContext) {
              const verdict = await instance.handle(change, context);
              answer(change, verdict);
              return verdict;
            },
          };
        },
      };
    case 'stateful':
      return {
        ...definition,
        create(options, environment) {
          const instance = definition.create(options, environment);
          return {
            ...life(instance),
            async handle(change: Change, context: StatefulContext<Json>) {
              const decided = await instance.handle(change, context);
              answer(change, decided.verdict);
              return decided;
            },
          };
        },
      };
  }
}

function life(instance: { start?(): Promise<void>; stop?(): Promise<void> }) {
  return {
    start: async () => instance.start?.(),
    stop: async () => instance.stop?.(),
  };
}

/** What `diff` has just found, after a colon. */
function headlineOf(before: Change, after: Change): string {
  const headline = before.notes.diff === undefined ? after.notes.diff?.headline : undefined;
  return headline ? `: ${headline}` : '';
}
