/** Real file systems for state folders: small, full, or losing power. Root only. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, rename, rm, rmdir, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from '../../src/errors.ts';

const run = promisify(execFile);

/** A file system in memory, removed when it goes out of scope. */
export class Tmpfs implements AsyncDisposable {
  readonly path: string;

  private constructor(folder: string) {
    this.path = folder;
  }

  /** @param size in mount(8)'s format: `3m`. */
  static async mount(size: string): Promise<Tmpfs> {
    const folder = await mkdtemp(path.join(tmpdir(), 'watchchain-tmpfs-'));
    await run('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', folder]);
    return new Tmpfs(folder);
  }

  file(name: string): string {
    return path.join(this.path, name);
  }

  /** `size=4m`, `ro`. */
  async remount(options: string): Promise<void> {
    await run('mount', ['-o', `remount,${options}`, this.path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.path]);
    await rmdir(this.path);
  }
}

/** The file that {@link fill} writes. */
export const FILLER = 'somebody-elses';

/** Fills the volume, while others may be writing too, until {@link FILLER} is removed. */
export async function fill(folder: string, file = FILLER): Promise<void> {
  await using handle = await open(path.join(folder, file), 'w');
  for (let chunk = Buffer.alloc(64 * 1024, 1); chunk.length > 0;) {
    try {
      await handle.write(chunk);
    } catch (thrown) {
      if (codeOf(thrown) !== 'ENOSPC') throw thrown;
      chunk = chunk.subarray(0, chunk.length >> 1);
    }
  }
}

/** An ext4 disk whose blocks are a file in memory: the file holds what has reached the disk so far. */
export class Disk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #ram: Tmpfs;
  readonly #image: string;

  private constructor(ram: Tmpfs, mountPoint: string, image: string) {
    this.#ram = ram;
    this.path = mountPoint;
    this.#image = image;
  }

  /** @param ram memory for its blocks, in mount(8)'s format; a write beyond it is an I/O error */
  static async mount(sizeBytes: number, ram = '256m'): Promise<Disk> {
    const tmpfs = await Tmpfs.mount(ram);
    const [mountPoint, image] = [tmpfs.file('disk'), tmpfs.file('image')];
    await mkdir(mountPoint);
    await writeFile(image, '');
    await truncate(image, sizeBytes);
    await run('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0,nodiscard', image]);
    const disk = new Disk(tmpfs, mountPoint, image);
    await disk.#mount();
    return disk;
  }

  /** Saves the current content of the disk. */
  async capture(): Promise<void> {
    await run('cp', ['--sparse=always', this.#image, `${this.#image}.captured`]);
  }

  /** Restores what was captured, as after a reboot; what the kernel still had in memory is lost. Nothing may use the disk. */
  async cutPower(): Promise<void> {
    await run('umount', [this.path]);
    await rename(`${this.#image}.captured`, this.#image);
    await this.#mount();
  }

  /** From now on the disk cannot store anything new. */
  async breakDown(): Promise<void> {
    await fill(this.#ram.path);
  }

  /** Replaces the broken disk by a copy of what it stored, checked as at any boot. */
  async repair(): Promise<void> {
    await run('umount', [this.path]);
    await rm(this.#ram.file(FILLER));
    // 1: errors were corrected.
    await run('e2fsck', ['-p', this.#image]).catch((error: { code?: number }) => {
      if (error.code !== 1) throw error;
    });
    await this.#mount();
  }

  async #mount(): Promise<void> {
    await run('mount', ['-o', 'loop', this.#image, this.path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.path]);
    await this.#ram[Symbol.asyncDispose]();
  }
}
