/** The disk space and start time of the program. */
import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Program } from '../../test/e2e/program.ts';
import { Cluster } from '../rig/cluster.ts';
import { median, type Figure, type Scenario, type ScenarioContext } from '../rig/figure.ts';
import { writeConfig } from '../rig/places.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const MAIN = join(REPOSITORY, 'dist/src/main.js');
const MB = 1_000_000;
const ROUNDS = 9;

export const sizes: Scenario = {
  name: 'sizes',
  how: `The tarball as npm packs it, and what \`npm install\` of it puts on the disk, its dependencies included. Then the wall time of
\`watchchain --help\` and from the start of \`watchchain run\` on an empty cluster until /readyz says so, medians of ${ROUNDS}.`,
  async run(context) {
    const rounds = Array.from({ length: context.quick ? 3 : ROUNDS });
    const timed = async (what: () => Promise<void>): Promise<number> => {
      const times: number[] = [];
      for (const _ of rounds) {
        const begun = performance.now();
        await what();
        times.push(performance.now() - begun);
      }
      return median(times);
    };
    const node = await timed(() => ended(['-e', '0']));
    const help = await timed(() => ended([MAIN, '--help']));
    await using cluster = await Cluster.start(await context.folder(), 'pod', 0);
    const ready = await timed(() => untilReady(context, cluster));
    const yardstick = { name: 'an empty program', value: node };
    return [
      ...(await onDisk()),
      { what: 'watchchain --help', measured: help, denominator: yardstick, unit: 'ms', limit: { atMost: 25 } },
      { what: 'watchchain run, until ready', measured: ready, unit: 'ms', limit: { atMost: 3_000 } },
    ];
  },
};

async function ended(args: readonly string[]): Promise<void> {
  await promisify(execFile)(process.execPath, args);
}

async function untilReady({ folder }: ScenarioContext, { kubeconfig }: Cluster): Promise<void> {
  const place = await folder();
  const args = ['run', '-c', await writeConfig(place, { kubeconfig, kind: 'pod' }), '--listen', '127.0.0.1:0'];
  await using program = new Program(args, { cwd: place, main: MAIN });
  await program.ready();
}

/** Measured without writing a tarball or asking a registry: the locked packages are installed here. */
async function onDisk(): Promise<readonly Figure[]> {
  const npm = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)('npm', args, { cwd: REPOSITORY, maxBuffer: 1 << 26 })).stdout;
  const listed = await npm('pack', '--dry-run', '--ignore-scripts', '--json', '--loglevel=error');
  const [packed] = JSON.parse(listed.slice(listed.indexOf('['))) as [{ size: number; unpackedSize: number }];
  const [, ...packages] = (await npm('ls', '--omit=dev', '--all', '--parseable')).trim().split('\n');
  let installed = packed.unpackedSize;
  for (const folder of packages) installed += await bytesOf(folder);
  return [
    { what: 'packed', measured: packed.size / MB, unit: 'MB', limit: { atMost: 1 } },
    {
      what: `installed, with ${packages.length} packages`,
      measured: installed / MB,
      unit: 'MB',
      limit: { atMost: 120 },
    },
  ];
}

/** The size of one package's files; nested packages are listed separately. */
async function bytesOf(folder: string): Promise<number> {
  const names = await readdir(folder, { withFileTypes: true });
  const sizes = names.map(async (name) => {
    const path = join(folder, name.name);
    if (name.isDirectory()) return name.name === 'node_modules' ? 0 : bytesOf(path);
    return name.isFile() ? (await stat(path)).size : 0;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
