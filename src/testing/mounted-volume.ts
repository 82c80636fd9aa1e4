/** A folder like a ConfigMap or Secret mounted by the kubelet: each file is a link through `..data`, switched by one rename. */
import { mkdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export class MountedVolume {
  readonly #folder: string;
  #version = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param files text by name */
  static async mount(folder: string, files: Readonly<Record<string, string>>): Promise<MountedVolume> {
    await mkdir(folder, { recursive: true });
    const volume = new MountedVolume(folder);
    await volume.update(files);
    for (const name of Object.keys(files)) await symlink(join('..data', name), volume.file(name));
    return volume;
  }

  file(name: string): string {
    return join(this.#folder, name);
  }

  /** Replaces all files at once; their names stay. */
  async update(files: Readonly<Record<string, string>>): Promise<void> {
    const version = `..version-${this.#version++}`;
    await mkdir(this.file(version));
    for (const [name, text] of Object.entries(files)) await writeFile(this.file(join(version, name)), text);
    await symlink(version, this.file('..data_tmp'));
    const old = await readlink(this.file('..data')).catch(() => undefined);
    await rename(this.file('..data_tmp'), this.file('..data'));
    if (old !== undefined) await rm(this.file(old), { recursive: true });
  }
}
