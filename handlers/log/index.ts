import { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { createLogger, format, transports } from 'winston';
import { z } from 'zod';
import { defineSink } from '../../src/chain/handler.ts';
import { untilAborted } from '../../src/until-aborted.ts';
import { STALLED_READER_MS } from '../stdout.ts';
import { changeEntry, jsonText, manifestEntry, prettyText, type Entry } from './entry.ts';

const options = z.strictObject({
  format: z
    .enum(['auto', 'json', 'pretty'])
    .default('auto')
    .describe(
      '`json` is one object per line, `pretty` is text for people, `auto` is `pretty` on a terminal and `json` otherwise.',
    )
    .meta({ example: 'json' }),
  level: z
    .enum(['info', 'debug'])
    .default('info')
    .describe('`debug` adds a second entry with the whole manifest; for a deleted object, the last known one.')
    .meta({ example: 'debug' }),
});

/** The key under which winston keeps the formatted text (documented by its package triple-beam). */
const MESSAGE = Symbol.for('message');
/** The key under which an entry carries the callback of its writer. */
const CALLBACK = Symbol('written');

type WriteCallback = (error?: Error | null) => void;

export default defineSink({
  name: 'log',
  summary: 'Writes one structured entry per change to stdout.',
  description: [
    'An entry holds the time when the change was seen, its id (for `watchchain explain --change`), cluster, action, kind, apiVersion, key, uid, resourceVersion, the managers that made it (`by`) and the flags; ' +
      'after `diff` also the headline, the changed fields, and in `diff` a unified diff of what does not fit on a line. The headline of a Kubernetes Event has its type, reason, count, object and message.',
    "An entry counts as delivered when the stream has accepted it. The service's own log goes to stderr: stdout holds entries only.",
    'Control and bidirectional characters are shown as escapes, so that a name in the cluster cannot forge an entry or colour a terminal.',
  ].join('\n\n'),
  options,
  examples: [
    { title: 'One line per change', toml: '[[handler]]\nname = "log"\n' },
    {
      title: 'JSON on a terminal too, with manifests',
      toml: '[[handler]]\nname = "log"\nformat = "json"\nlevel = "debug"\n',
    },
  ],
  deadlineMs: () => STALLED_READER_MS,
  create(options, { stdout }) {
    const terminal = isTerminal(stdout);
    const pretty = options.format === 'pretty' || (options.format === 'auto' && terminal);
    // `hasColors` respects NO_COLOR and TERM.
    const color = terminal && stdout.hasColors();
    const logger = createLogger({
      level: options.level,
      format: format.printf(({ entry }) => {
        return pretty ? prettyText(entry as Entry, { color }) : jsonText(entry as Entry);
      }),
      transports: [new transports.Stream({ stream: callbackStream(stdout) })],
    });

    const write = (entry: Entry, signal: AbortSignal): Promise<void> =>
      untilAborted(signal, ({ resolve, reject }) => {
        const written: WriteCallback = (cause) => {
          if (cause) reject(new Error('Cannot write to the output stream', { cause }));
          else resolve();
        };
        logger.log({ level: entry.level, message: entry.message, entry, [CALLBACK]: written });
      });

    return {
      async deliver(change, { signal }) {
        await write(changeEntry(change), signal);
        const entry = logger.isDebugEnabled() ? manifestEntry(change) : undefined;
        if (entry !== undefined) await write(entry, signal);
      },
      async stop() {
        logger.close();
      },
    };
  },
});

/**
 * winston acknowledges nothing: in object mode its stream transport hands over the entry itself, and the output stream's own
 * callback then notifies whoever waits for it.
 */
function callbackStream(output: NodeJS.WritableStream): Writable {
  return new Writable({
    objectMode: true,
    write(info: { [MESSAGE]: string; [CALLBACK]: WriteCallback }, _encoding, next) {
      output.write(`${info[MESSAGE]}\n`, (error) => {
        info[CALLBACK](error);
        next();
      });
    },
  });
}

function isTerminal(stream: NodeJS.WritableStream): stream is WriteStream {
  return 'isTTY' in stream && stream.isTTY === true;
}
