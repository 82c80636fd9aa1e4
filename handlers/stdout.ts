import { z } from 'zod';
import { defineSink } from '../src/chain/handler.ts';
import { untilAborted } from '../src/until-aborted.ts';
import { compileLine, LINE_MEMBERS, lineLayout } from '../src/template/line.ts';

/** A reader that has stopped reading is back pressure, not a failure: it may hold up this chain for this long. */
export const STALLED_READER_MS = 15 * 60_000;

export default defineSink({
  name: 'stdout',
  summary: 'Writes one line of JSON per change to stdout, for other programs.',
  description: [
    LINE_MEMBERS,
    'A line counts as delivered when the stream has accepted it. If the reader goes away (`watchchain | head`), the service ends with exit code 0; if it stops reading, this chain waits.',
    'For lines that people read, or that a log system searches, use `log`.',
  ].join('\n\n'),
  options: z.strictObject({ layout: lineLayout }),
  examples: [
    { title: 'Everything', toml: '[[handler]]\nname = "stdout"\n' },
    {
      title: 'The fields of Kubernetes Events that a pipeline needs',
      toml: '[[handler]]\nname = "stdout"\n[handler.layout]\nreason = "{{ event.reason }}"\ncount = "{{ event.count }}"\nmessage = "{{ event.message }}"\n',
    },
  ],
  deadlineMs: () => STALLED_READER_MS,
  create({ layout: given }, { stdout }) {
    const lineOf = compileLine(given);
    return {
      deliver: (change, { signal }) =>
        untilAborted(signal, ({ resolve, reject }) => {
          stdout.write(lineOf(change), (cause) => {
            if (cause) reject(new Error('Cannot write to stdout', { cause }));
            else resolve();
          });
        }),
      preview: (change) => lineOf(change).trimEnd(),
    };
  },
});
