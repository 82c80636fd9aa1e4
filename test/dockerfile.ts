/** Follows a Dockerfile's steps without a container engine: each stage is a folder, and the last one is the image. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Workdir } from './e2e/program.ts';

export const REPOSITORY = path.resolve(import.meta.dirname, '..');

interface Step {
  readonly instruction: string;
  readonly rest: string;
}

export interface Image {
  /** The folder that represents `/`. */
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly user: string;
  /** Labels below org.opencontainers.image. */
  readonly labels: Readonly<Record<string, string>>;
}

const NOTHING = { env: {}, entrypoint: [], cmd: [], user: '', labels: {} };

interface Surroundings {
  readonly workdir: Workdir;
  readonly context: string;
  /** The image for `FROM watchchain`. */
  readonly base?: Image;
}

/** @param file from the repository's root */
export async function follow(file: string, { workdir, context, base }: Surroundings): Promise<Image> {
  const stages = new Map<string, string>();
  let cwd = '/';
  let image: Image = { root: '', ...NOTHING };
  let values: Record<string, string> = {};
  for (const { instruction, rest } of stepsOf(await readFile(path.join(REPOSITORY, file), 'utf8'))) {
    const { root } = image;
    switch (instruction) {
      case 'FROM': {
        const name = / AS (\w+)$/.exec(rest)?.[1] ?? 'last';
        image = /^watchchain\b/.test(rest) && base !== undefined ? base : { root: workdir.file(name), ...NOTHING };
        stages.set(name, image.root);
        cwd = '/';
        await mkdir(image.root, { recursive: true });
        break;
      }
      case 'WORKDIR':
        cwd = rest;
        await mkdir(path.join(root, cwd), { recursive: true });
        break;
      case 'COPY':
        await copy(rest, { stages, context, root, cwd });
        break;
      case 'RUN':
        // Uses the machine's Python instead of installing one.
        if (/^apt-get .* install .* python3 /.test(rest)) break;
        await run(rest, path.join(root, cwd));
        break;
      case 'USER':
        image = { ...image, user: rest };
        break;
      case 'ENTRYPOINT':
        image = { ...image, entrypoint: JSON.parse(rest) as string[] };
        break;
      case 'CMD':
        image = { ...image, cmd: JSON.parse(rest) as string[] };
        break;
      case 'ENV':
        image = { ...image, env: { ...image.env, ...variablesOf(rest) } };
        break;
      case 'ARG':
        values = { ...values, ...variablesOf(rest) };
        break;
      case 'LABEL': {
        const [, label = '', text = ''] = /^org\.opencontainers\.image\.(\w+)="(.*)"$/.exec(rest) ?? [];
        const value = text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => values[name] ?? '');
        image = { ...image, labels: { ...image.labels, [label]: value } };
        break;
      }
      default:
        assert.fail(`The test does not know how to follow ${instruction}`);
    }
  }
  return image;
}

function stepsOf(dockerfile: string): Step[] {
  return dockerfile
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, instruction = '', rest = ''] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
      return { instruction, rest };
    });
}

/** `NAME=VALUE NAME="A VALUE"` */
function variablesOf(rest: string): Record<string, string> {
  const pairs = [...rest.matchAll(/(\w+)=(?:"([^"]*)"|(\S*))/g)];
  return Object.fromEntries(pairs.map(([, name = '', quoted, plain]) => [name, quoted ?? plain ?? '']));
}

/** `COPY [--from=STAGE] SOURCE... TARGET`: for a folder, its content. */
async function copy(
  rest: string,
  { stages, context, root, cwd }: { stages: ReadonlyMap<string, string>; context: string; root: string; cwd: string },
): Promise<void> {
  const words = rest.split(' ');
  const from =
    words[0]?.startsWith('--from=') === true ? stages.get(words.shift()?.slice('--from='.length) ?? '') : context;
  assert.ok(from, `COPY ${rest}: there is no such stage`);
  const target = path.join(root, path.resolve(cwd, words.at(-1) ?? ''));
  for (const source of words.slice(0, -1)) {
    const what = path.join(from, source);
    const to = rest.endsWith('/') && !(await stat(what)).isDirectory() ? path.join(target, source) : target;
    await cp(what, to, { recursive: true, verbatimSymlinks: true });
  }
}

async function run(command: string, cwd: string): Promise<void> {
  const bin = path.dirname(process.execPath);
  // `make deps` has just fetched the same packages.
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    npm_config_prefer_offline: 'true',
    NODE_ENV: '',
  };
  await promisify(execFile)('sh', ['-c', command], { cwd, env });
}
