/** Receivers as sinks. */
import type { z } from 'zod';
import { didYouMean } from '../../../near.ts';
import { isTable } from '../../expand.ts';
import { canonical } from '../../keys.ts';
import { problemsOf, type Path, type Problem } from '../../problems.ts';
import { translateLayout, translateTemplate, wholeEventTemplate, type TemplateSurroundings } from './layout.ts';
import { OTHER_SINKS, SINKS, type SinkKey, type SinkOptions } from './schema.ts';

type Table = Readonly<Record<string, unknown>>;

/** What is common to the translation of all receivers; `fields` say whether dots are replaced. */
export type ReceiverSurroundings = TemplateSurroundings;

/** A receiver of the file. */
export interface Receiver {
  readonly name: string;
  readonly path: Path;
  /** Undefined when it cannot be used, which is reported. */
  readonly sink: Table | undefined;
}

/** All receivers by name; of two with one name the last counts, as in theirs, and both are reported. */
export function receiversOf(
  written: readonly Table[],
  path: Path,
  surroundings: ReceiverSurroundings,
): ReadonlyMap<string, Receiver> {
  const receivers = new Map<string, Receiver>();
  for (const [index, { name, ...rest }] of written.entries()) {
    const receiver = { name: String(name), path: [...path, index] };
    if (receivers.has(receiver.name))
      surroundings.report.unsupported(
        [...receiver.path, 'name'],
        `must be unique: another receiver is called "${receiver.name}", and the last one counts`,
      );
    receivers.set(receiver.name, { ...receiver, sink: sinkOf(rest, receiver, surroundings) });
  }
  return receivers;
}

/** Of several sinks in one receiver the first in the order of theirs counts. */
function sinkOf(
  table: Table,
  { name, path }: Pick<Receiver, 'name' | 'path'>,
  surroundings: ReceiverSurroundings,
): Table | undefined {
  const { report } = surroundings;
  const known = [...Object.keys(SINKS), ...OTHER_SINKS];
  const keys = Object.keys(table).map((key) => known.find((one) => one.toLowerCase() === key.toLowerCase()) ?? key);
  for (const key of Object.keys(table)) {
    if (keys.includes(key) && known.includes(key)) continue;
    report.unsupported([...path, key], `unknown receiver type${didYouMean(key, known)}`);
  }
  const [key] = keys.filter((one) => known.includes(one));
  if (key === undefined) {
    report.unsupported(
      path,
      `receiver "${name}" says nowhere where it sends: it needs one of ${Object.keys(SINKS).join(', ')}`,
    );
    return undefined;
  }
  if (!isBuilt(key)) {
    report.unsupported([...path, key], `receiver "${name}": ${key} is not supported`);
    return undefined;
  }
  const at = [...path, key];
  const given = Object.entries(table).find(([one]) => one.toLowerCase() === key.toLowerCase())?.[1] ?? {};
  return translated(key, given, at, surroundings);
}

function isBuilt(key: string): key is SinkKey {
  return Object.hasOwn(SINKS, key);
}

function translated(key: SinkKey, given: unknown, at: Path, surroundings: ReceiverSurroundings): Table | undefined {
  const { report } = surroundings;
  const schema: z.ZodObject = SINKS[key];
  const unknown: Problem[] = [];
  const options = canonical(given, schema, at, unknown);
  for (const { path, message } of unknown) report.unsupported(path, message);
  const checked = schema.safeParse(options);
  if (!checked.success) {
    for (const { path, message } of problemsOf(checked.error, options, at, () => true)) report.problem(path, message);
    return undefined;
  }
  switch (key) {
    case 'webhook':
      return webhook(checked.data as SinkOptions<'webhook'>, at, surroundings);
    case 'file':
      return file(checked.data as SinkOptions<'file'>, at, surroundings);
    case 'stdout':
      return stdout(checked.data, at, surroundings);
    case 'slack':
    case 'teams':
      report.unsupported(at, `${key} is not supported`);
      return undefined;
  }
}

/** Their HTTP client writes these itself, whatever is configured. */
const CONNECTION_HEADERS = /^(host|content-length|connection|transfer-encoding|trailer|te|upgrade|expect|keep-alive)$/i;

function webhook(
  { endpoint, headers = {}, layout, tls }: SinkOptions<'webhook'>,
  at: Path,
  surroundings: ReceiverSurroundings,
): Table {
  const { environment, report } = surroundings;
  const templates = Object.entries(headers).flatMap(([name, value]) => {
    const path = [...at, 'headers', name];
    if (CONNECTION_HEADERS.test(name)) {
      report.warning(path, 'belongs to the connection and is not sent, as before');
      return [];
    }
    const template = translateTemplate(value, path, surroundings);
    return template === undefined ? [] : [[environment.resolve(name), template] as const];
  });
  return report.from(
    at,
    {
      name: 'webhook',
      url: environment.reference(endpoint),
      ...(templates.length === 0 ? {} : { headers: Object.fromEntries(templates) }),
      layout: layoutOf(layout, at, surroundings),
      ...(tls === undefined ? {} : { tls: references(tls, surroundings) }),
    },
    { url: ['endpoint'] },
  );
}

function file(
  { path, layout, deDot = false, maxsize = 100, maxage = 0, maxbackups = 0 }: SinkOptions<'file'>,
  at: Path,
  surroundings: ReceiverSurroundings,
): Table {
  const { environment, report } = surroundings;
  // Rotation would rename the device.
  if (environment.resolve(path) === '/dev/stdout') return stdout({ layout, deDot }, at, surroundings);
  const own = withDeDot(surroundings, deDot);
  return report.from(
    at,
    {
      name: 'file',
      path: environment.reference(path),
      maxSize: maxsize,
      maxAge: maxage,
      maxBackups: maxbackups,
      layout: layoutOf(layout, at, own),
    },
    { maxSize: ['maxsize'], maxAge: ['maxage'], maxBackups: ['maxbackups'] },
  );
}

function stdout({ layout, deDot = false }: SinkOptions<'stdout'>, at: Path, surroundings: ReceiverSurroundings): Table {
  return surroundings.report.from(at, { name: 'stdout', layout: layoutOf(layout, at, withDeDot(surroundings, deDot)) });
}

/** Without a layout, the whole Event. */
function layoutOf(layout: Table | undefined, at: Path, surroundings: ReceiverSurroundings): unknown {
  if (layout === undefined) return wholeEventTemplate(surroundings);
  return translateLayout(layout, [...at, 'layout'], surroundings);
}

function withDeDot(surroundings: ReceiverSurroundings, deDot: boolean): ReceiverSurroundings {
  return { ...surroundings, fields: { ...surroundings.fields, deDot } };
}

/** A table with its texts as our configuration has them. */
function references(table: Table, { environment }: ReceiverSurroundings): Table {
  const members = Object.entries(table).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    members.map(([key, value]) => {
      if (typeof value === 'string') return [key, environment.reference(value)];
      return [key, isTable(value) ? references(value, { environment } as ReceiverSurroundings) : value];
    }),
  );
}
