/** Makes an image from a folder, as an archive for any container engine, in the format of `docker save`. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import type { Image } from '../dockerfile.ts';
import type { Workdir } from '../e2e/program.ts';

/** Writes an archive with one image per name, all with the same files; returns its path. */
export async function archived(
  { root, ...image }: Image,
  names: Readonly<Record<string, Partial<Image>>>,
  workdir: Workdir,
): Promise<string> {
  const run = promisify(execFile);
  const layer = workdir.file('layer.tar');
  await run('tar', [
    '--create',
    '--file',
    layer,
    '--directory',
    root,
    '--numeric-owner',
    '--owner=0',
    '--group=0',
    '.',
  ]);
  const digest = createHash('sha256');
  await pipeline(createReadStream(layer), digest);
  const layers = [`sha256:${digest.digest('hex')}`];
  const manifest = [];
  for (const [n, [name, changed]] of Object.entries(names).entries()) {
    const { entrypoint, cmd, env, user } = { ...image, ...changed };
    const config = {
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: {
        User: user,
        Env: Object.entries(env).map((pair) => pair.join('=')),
        Entrypoint: entrypoint,
        Cmd: cmd,
        WorkingDir: '/',
      },
      rootfs: { type: 'layers', diff_ids: layers },
    };
    await workdir.write(`config-${n}.json`, JSON.stringify(config));
    manifest.push({ Config: `config-${n}.json`, RepoTags: [name], Layers: ['layer.tar'] });
  }
  await workdir.write('manifest.json', JSON.stringify(manifest));
  const archive = workdir.file('image.tar');
  const members = ['manifest.json', 'layer.tar', ...manifest.map(({ Config }) => Config)];
  await run('tar', ['--create', '--file', archive, '--directory', workdir.path, ...members]);
  return archive;
}
