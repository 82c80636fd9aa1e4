import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { MountedVolume } from '../testing/mounted-volume.ts';
import { Workdir } from '../../test/e2e/program.ts';
import { watchFiles, type WatchedFiles } from './watch-files.ts';

const SETTLES_MS = 200;

async function noticed(files: WatchedFiles, clock: FakeClock): Promise<void> {
  const changed = files.haveChanged(AbortSignal.timeout(60_000));
  await clock.waitForSleepers(1);
  await clock.advance(SETTLES_MS);
  assert.equal(await changed, true);
}

describe('watchFiles()', () => {
  test('notices each update of a mounted ConfigMap once, which changes only a link of its folder', async () => {
    await using workdir = await Workdir.make();
    const clock = new FakeClock();
    const volume = await MountedVolume.mount(workdir.file('etc'), { 'config.toml': 'a' });
    const file = volume.file('config.toml');
    const files = watchFiles(clock);
    files.watch(file);

    // The same length, and maybe the same tick of the file system's clock.
    await volume.update({ 'config.toml': 'b' });
    await noticed(files, clock);
    files.watch(file);
    await volume.update({ 'config.toml': 'c' });
    await noticed(files, clock);
    files.watch(file);

    assert.equal(await files.haveChanged(AbortSignal.timeout(60_000)), false);
  });

  test('waits until a file has stopped changing', async () => {
    await using workdir = await Workdir.make();
    const clock = new FakeClock();
    const file = await workdir.write('config.toml', 'a');
    const files = watchFiles(clock);
    files.watch(file);
    await workdir.write('config.toml', 'half');
    let isOver = false;
    const changed = files.haveChanged(AbortSignal.timeout(60_000)).then(() => (isOver = true));
    await clock.waitForSleepers(1);
    await workdir.write('config.toml', 'half and the rest');
    await clock.advance(SETTLES_MS);
    await clock.waitForSleepers(1);
    assert.equal(isOver, false);
    await clock.advance(SETTLES_MS);
    await changed;
  });

  test('notices changes since watch(), however long ago, and a file that was missing', async () => {
    await using workdir = await Workdir.make();
    const clock = new FakeClock();
    const files = watchFiles(clock);
    files.watch(workdir.file('token'));
    await workdir.write('token', 'a');
    await noticed(files, clock);
    files.watch(workdir.file('token'));
    await workdir.write('token', 'another');
    await clock.advance(3_600_000);
    await noticed(files, clock);
  });
});
