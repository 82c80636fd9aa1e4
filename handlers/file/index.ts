import { z } from 'zod';
import { defineSink } from '../../src/chain/handler.ts';
import { filePath } from '../../src/config/paths.ts';
import { compileLine, LINE_MEMBERS, lineLayout } from '../../src/template/line.ts';
import { RotatingFile } from './rotating-file.ts';

const MB = 1024 * 1024;
const DAY_MS = 24 * 3_600_000;

const options = z.strictObject({
  path: filePath
    .describe('Of the file, relative to the configuration; made when it is missing, appended to otherwise.')
    .meta({ example: '/var/log/watchchain/changes.jsonl' }),
  layout: lineLayout,
  maxSize: z
    .number()
    .min(0)
    .default(100)
    .describe('Megabytes after which the file is put aside and a new one begun. `0`: never.')
    .meta({ example: 20 }),
  maxBackups: z
    .int()
    .min(0)
    .default(10)
    .describe('How many files that were put aside are kept. `0`: all of them.')
    .meta({ example: 5 }),
  maxAge: z
    .number()
    .min(0)
    .default(0)
    .describe('Days after which a file that was put aside is removed. `0`: never.')
    .meta({ example: 28 }),
  fsync: z
    .boolean()
    .default(false)
    .describe('Count a line as delivered only when it is on the disk, so that a power cut loses none.')
    .meta({ example: true }),
});

export default defineSink({
  name: 'file',
  summary: 'Appends one line of JSON per change to a file, which it rotates.',
  description: [
    LINE_MEMBERS,
    'A line counts as delivered when the system has taken all of it. What does not fit on the volume is taken back, so that no line is torn, and the change waits for room as for a receiver that is down. Half a line that a kill or a power cut has left is ended before the next one.',
    'A file that is full is renamed to `changes-2026-11-20T23-42-03.123Z.jsonl`, beside it. The tools that do this themselves work too: a file that was renamed, removed or truncated is noticed before the next line, so that nothing has to be signalled; set `maxSize = 0` then. One that may be written but not renamed goes on growing, with a warning.',
    'New files have the mode 0640. A folder that does not exist, or a file that may not be written, stops the start.',
  ].join('\n\n'),
  options,
  examples: [
    {
      title: 'At most 11 files of 100 MB',
      toml: '[[handler]]\nname = "file"\npath = "/var/log/watchchain/changes.jsonl"\n',
    },
    {
      title: 'Rotated by logrotate, a line of text per change',
      toml: '[[handler]]\nname = "file"\npath = "/var/log/watchchain.jsonl"\nmaxSize = 0\n[handler.layout]\ntime = "{{ change.observedAt }}"\ntext = "{{ change.headline }}"\n',
    },
  ],
  create({ path, layout, maxSize, maxBackups, maxAge, fsync }, { clock, log }) {
    const lineOf = compileLine(layout);
    const limits = { maxBytes: maxSize * MB, maxBackups, maxAgeMs: maxAge * DAY_MS, fsync };
    const file = new RotatingFile(path, limits, { clock, log });
    return {
      start: () => file.open(),
      deliver: (change, { signal }) => file.append(lineOf(change), signal),
      preview: (change) => lineOf(change).trimEnd(),
      stop: () => file.close(),
    };
  },
});
