/**
 * The program itself: `watchchain.ts CONFIG`, assembled as by `watchchain run`, with its state on disk. Counts the entries
 * that the `log` handler writes to its stdout, which is a file here.
 *
 * Measures `dist/`, which the package and the image contain: in a checkout Node strips the types at every start, 0.3 s of CPU
 * time that no installation has.
 */
import { Writable } from 'node:stream';
import type * as App from '../../src/app.ts';
import type * as ChainLoad from '../../src/chain/load.ts';
import type * as ConfigLoad from '../../src/config/load.ts';
import type * as Log from '../../src/log.ts';
import type * as Memory from '../../src/main/memory.ts';
import { Report } from './report.ts';

const built = <Module>(file: string) =>
  import(new URL(`../../dist/src/${file}`, import.meta.url).href) as Promise<Module>;
// As main.ts does it.
(await built<typeof Memory>('main/memory.js')).keepYoungGenerationSmall();
const { createLogger } = await built<typeof Log>('log.js');
const { createApp } = await built<typeof App>('app.js');
const { loadHandler } = await built<typeof ChainLoad>('chain/load.js');
const { loadConfig } = await built<typeof ConfigLoad>('config/load.js');

const [file = ''] = process.argv.slice(2);
const stdout = new Writable({
  write(chunk: Buffer, _encoding, written) {
    process.stdout.write(chunk, (error) => {
      report.done();
      written(error);
    });
  },
});

const config = await loadConfig(file, { env: process.env, loadHandler });
const log = createLogger({ level: 'warn', format: 'json', color: false, stream: process.stderr });
const app = createApp({ config, log, stdout, env: process.env });
const report = new Report({ idle: () => app.idle() });
await app.start();
await app.idle();
report.ready();
