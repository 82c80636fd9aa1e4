/** A dry run of a chain: transforms decide as usual, sinks send nothing. */
import type { Change } from '../change.ts';
import {
  halt,
  isHalt,
  type Halt,
  type HandlerContext,
  type HandlerDefinition,
  type SinkDefinition,
  type StatefulDefinition,
  type TransformDefinition,
} from '../chain/handler.ts';
import { checkedDecision, checkedGroup, checkedInstance, checkedVerdict } from '../chain/verdict.ts';
import { textOf } from '../chain/failure.ts';
import { lifeOf } from '../chain/life.ts';
import type { ChainConfig, HandlerConfig } from '../config/config.ts';
import { hiderOf } from '../delivery/scrub.ts';
import { toError } from '../errors.ts';
import { unlessAborted } from '../until-aborted.ts';
import { printable } from '../text/printable.ts';

/**
 * The same chain with every verdict printed, and with sinks that only say what they would do. One change at a time, in order.
 * If a handler throws, that is printed, too, `onFailure` is called, and the change goes no further.
 */
export function rehearsed(chain: ChainConfig, stdout: NodeJS.WritableStream, onFailure: () => void): ChainConfig {
  const handlers = chain.handlers.map((handler): HandlerConfig => {
    const hide = hiderOf(handler.secrets);
    const print = (change: Change, verdict: string) => {
      const what = `${change.action} ${change.gvk.kind.toLowerCase()} ${change.key} @${change.resourceVersion}`;
      stdout.write(`${printable(`${what}  ${handler.id}: ${hide(verdict)}`)}\n`);
    };
    const answered = (change: Change, verdict: Change | Halt) =>
      print(change, isHalt(verdict) ? `halt (${verdict.reason})` : `pass${headlineOf(change, verdict)}`);
    const failed = (change: Change, thrown: unknown): Halt => {
      print(change, `throws (${textOf(toError(thrown), hide)})`);
      onFailure();
      return halt('a handler threw');
    };
    return { ...handler, definition: rehearse(handler.definition, { print, answered, failed }) };
  });
  const branches = chain.branches.map((branch) => rehearsed(branch, stdout, onFailure));
  return { ...chain, handlers, branches, concurrency: 1, retry: { ...chain.retry, retries: 0 } };
}

/** Callbacks for what a handler returns or throws. */
interface Reporter {
  readonly print: (change: Change, verdict: string) => void;
  readonly answered: (change: Change, verdict: Change | Halt) => void;
  readonly failed: (change: Change, thrown: unknown) => Halt;
}

function rehearse(definition: HandlerDefinition, reporter: Reporter): HandlerDefinition {
  switch (definition.type) {
    case 'sink':
      return rehearseSink(definition, reporter);
    case 'transform':
      return rehearseTransform(definition, reporter);
    case 'stateful':
      return rehearseStateful(definition, reporter);
  }
}

function rehearseSink(definition: SinkDefinition, { print, failed }: Reporter): SinkDefinition {
  return {
    ...definition,
    create(options, environment) {
      const sink = checkedInstance(definition.create(options, environment), 'deliver');
      return {
        async deliver(change, context) {
          try {
            const shown = await withDeadline(() => sink.preview?.(change, context), context);
            print(change, `would deliver${shown === undefined ? '' : `: ${shown}`}`);
          } catch (thrown) {
            failed(change, thrown);
          }
        },
      };
    },
  };
}

function rehearseTransform(definition: TransformDefinition, { answered, failed }: Reporter): TransformDefinition {
  return {
    ...definition,
    create(options, environment) {
      const instance = checkedInstance(definition.create(options, environment), 'handle');
      return {
        ...lifeOf(instance),
        async handle(change, context) {
          try {
            const verdict = checkedVerdict(await withDeadline(() => instance.handle(change, context), context));
            answered(change, verdict);
            return verdict;
          } catch (thrown) {
            return failed(change, thrown);
          }
        },
      };
    },
  };
}

function rehearseStateful(definition: StatefulDefinition, { answered, failed }: Reporter): StatefulDefinition {
  return {
    ...definition,
    create(options, environment) {
      const instance = checkedInstance(definition.create(options, environment), 'handle');
      const group = async (change: Change, context: HandlerContext) => {
        try {
          const named = checkedGroup(await withDeadline(() => instance.group?.(change, context), context));
          if (isHalt(named)) answered(change, named);
          return named;
        } catch (thrown) {
          return failed(change, thrown);
        }
      };
      return {
        ...lifeOf(instance),
        ...(instance.group === undefined ? {} : { group }),
        async handle(change, context) {
          try {
            const decision = checkedDecision(await withDeadline(() => instance.handle(change, context), context));
            answered(change, decision.verdict);
            return decision;
          } catch (thrown) {
            return { verdict: failed(change, thrown), state: context.state ?? null };
          }
        },
      };
    },
  };
}

/** A call that is ended by its deadline counts as having thrown. */
function withDeadline<A>(work: () => A | Promise<A>, { signal }: HandlerContext): Promise<A> {
  const answer = async () => work();
  return unlessAborted(answer(), signal);
}

/** What `diff` has just found, after a colon. */
function headlineOf(before: Change, after: Change): string {
  const headline = before.notes.diff === undefined ? after.notes.diff?.headline : undefined;
  return headline ? `: ${headline}` : '';
}
