import type { Command } from 'commander';
import { withStore } from './state.ts';
import { idempotencyKey } from '../change.ts';
import { ConfigError } from '../errors.ts';
import { printable } from '../log.ts';
import type { DeadLetter, Store } from '../store/store.ts';
import { EXIT, type Action, type CommandIo } from './command.ts';
import { withConfigFlags, type ConfigFlags } from './options.ts';

type Flags = ConfigFlags & { readonly all?: boolean; readonly chain?: string; readonly output?: string };

const PAGE = 500;

export function deadCommand(program: Command, io: CommandIo, choose: (action: Action) => void): void {
  const dead = program
    .command('dead')
    .description('changes whose attempts are spent: list, show, replay or discard them');
  const add = (
    name: string,
    description: string,
    work: (store: Store, ids: readonly number[], flags: Flags) => Promise<number>,
  ) => {
    const command = dead.command(name).description(description).option('--chain <name>', 'of this chain only');
    withConfigFlags(command).action((...given: unknown[]) => {
      const flags = given.at(-2) as Flags;
      const ids = Array.isArray(given[0]) ? (given[0] as string[]) : [];
      choose(() => withStore(flags, io, (store) => work(store, ids.map(parseId), flags)));
    });
    return command;
  };
  add('list', 'one line each, oldest first', (store, _ids, flags) => list(store, flags, io)).allowExcessArguments(
    false,
  );
  add('show', 'everything about them, as JSON', (store, ids) => show(store, ids, io)).argument('<ids...>');
  const several = (
    name: string,
    description: string,
    act: (store: Store, ids: readonly number[]) => Promise<readonly number[]>,
  ) =>
    add(name, description, (store, ids, flags) => change(name, store, ids, flags, act, io))
      .argument('[ids...]')
      .option('--all', 'all of them');
  several('replay', 'send them through their chain again; sinks that had accepted them are left out', (store, ids) =>
    store.replay(ids),
  );
  several('discard', 'forget them', (store, ids) => store.discard(ids));
}

async function list(store: Store, flags: Flags, io: CommandIo): Promise<number> {
  const letters = await all(store, flags);
  if (letters.length === 0) io.stdout.write('No dead letters.\n');
  for (const letter of letters) io.stdout.write(`${summarise(letter)}\n`);
  return EXIT.ok;
}

async function show(store: Store, ids: readonly number[], io: CommandIo): Promise<number> {
  for (const id of ids) {
    const letter = await store.deadLetterOf(id);
    if (letter === undefined) throw unknownIds([id]);
    const { change, diedAt, ...rest } = letter;
    const shown = {
      ...rest,
      diedAt: new Date(diedAt).toISOString(),
      idempotencyKey: idempotencyKey(change, letter.handler),
      change,
    };
    io.stdout.write(`${JSON.stringify(shown, undefined, 2)}\n`);
  }
  return EXIT.ok;
}

async function change(
  verb: string,
  store: Store,
  given: readonly number[],
  flags: Flags,
  act: (store: Store, ids: readonly number[]) => Promise<readonly number[]>,
  io: CommandIo,
): Promise<number> {
  if (given.length === 0 && flags.all !== true) throw new ConfigError([`Nothing to ${verb}: name the ids, or --all`]);
  const ids = flags.all === true ? (await all(store, flags)).map((letter) => letter.id) : given;
  const done = await act(store, ids);
  io.stdout.write(`${verb}: ${done.length} of ${ids.length}\n`);
  const unknown = ids.filter((id) => !done.includes(id));
  if (unknown.length > 0) throw unknownIds(unknown);
  return EXIT.ok;
}

async function all(store: Store, flags: Flags): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for (;;) {
    const afterId = letters.at(-1)?.id;
    const page = await store.deadLetters({
      limit: PAGE,
      ...(flags.chain === undefined ? {} : { chain: flags.chain }),
      ...(afterId === undefined ? {} : { afterId }),
    });
    letters.push(...page);
    if (page.length < PAGE) return letters;
  }
}

function summarise({ id, diedAt, handler, attempts, error, change }: DeadLetter): string {
  const what = `${change.action} ${change.gvk.kind.toLowerCase()} ${change.key}`;
  return printable(`${id}  ${new Date(diedAt).toISOString()}  ${what}  ${handler}  ${attempts} attempts: ${error}`);
}

function parseId(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ConfigError([`Not a dead letter's id: ${JSON.stringify(text)}; \`watchchain dead list\` shows them`]);
}

function unknownIds(ids: readonly number[]): ConfigError {
  return new ConfigError([
    `No dead letter has the id ${ids.join(', ')}; \`watchchain dead list\` shows those there are`,
  ]);
}
