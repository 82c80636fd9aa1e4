import { z } from 'zod';
import { defineSink } from '../../src/chain/handler.ts';
import { filePath } from '../../src/config/paths.ts';
import { compileLine, LINE_MEMBERS, lineLayout } from '../../src/template/line.ts';
import { RotatingFile } from './rotating-file.ts';

const MB = 1024 * 1024;
const DAY_MS = 24 * 3_600_000;

const options = z.strictObject({
  path: filePath
    .describe('Path of the file, relative to the configuration. It is created if missing, and appended to otherwise.')
    .meta({ example: '/var/log/watchchain/changes.jsonl' }),
  layout: lineLayout,
  maxSize: z
    .number()
    .min(0)
    .default(100)
    .describe('Size in megabytes at which the file is rotated. `0`: never.')
    .meta({ example: 20 }),
  maxBackups: z
    .int()
    .min(0)
    .default(10)
    .describe('How many rotated files are kept. `0`: all of them.')
    .meta({ example: 5 }),
  maxAge: z
    .number()
    .min(0)
    .default(0)
    .describe('Days after which a rotated file is removed. `0`: never.')
    .meta({ example: 28 }),
  fsync: z
    .boolean()
    .default(false)
    .describe('Count a line as delivered only once it is on the disk, so that a power cut loses none.')
    .meta({ example: true }),
});

export default defineSink({
  name: 'file',
  summary: 'Appends one line of JSON per change to a file, and rotates the file.',
  description: [
    LINE_MEMBERS,
    'A line counts as delivered when the system has accepted all of it. If a line does not fit on the volume, the part already written is removed, so that no line is torn, and the change waits for room as it would for a receiver that is down. Half a line left by a kill or a power cut is terminated before the next one.',
    'A full file is renamed to `changes-2026-11-20T23-42-03.123Z.jsonl` in the same folder. External rotation works too, with `maxSize = 0`: the handler notices before the next line that the file was renamed, removed or truncated, and needs no signal. A file that may be written but not renamed keeps growing, with a warning.',
    'New files have mode 0640. The service does not start if the folder does not exist or the file is not writable.',
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
