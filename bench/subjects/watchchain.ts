/**
 * The program itself: `watchchain.ts CONFIG`, as `watchchain run` puts it together, with its state on disk. Counts the entries
 * that the `log` handler writes to its stdout, which is a file here.
 */
import { createWriteStream } from 'node:fs';
import { Writable } from 'node:stream';
import { createLogger } from '../../src/log.ts';
import { keepYoungGenerationSmall } from '../../src/memory.ts';
import { Report } from './report.ts';

// As main.ts does it.
keepYoungGenerationSmall();
const { createApp } = await import('../../src/app.ts');
const { loadHandler } = await import('../../src/chain/load.ts');
const { loadConfig } = await import('../../src/config/load.ts');

const [file = ''] = process.argv.slice(2);
const output = createWriteStream(`${file}.stdout`);
const stdout = new Writable({
  write(chunk: Buffer, _encoding, written) {
    output.write(chunk, (error) => {
      report.done();
      written(error);
    });
  },
});

const config = await loadConfig(file, { env: process.env, loadHandler });
const log = createLogger({ level: 'warn', json: true, color: false, stream: process.stderr });
const app = createApp({ config, log, stdout, env: process.env });
const report = new Report({ idle: () => app.idle() });
await app.start();
await app.idle();
report.ready();
