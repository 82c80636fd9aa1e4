import { setFlagsFromString } from 'node:v8';

/**
 * Keeps the young generation at its initial size of 1 MB; call it before the rest of the program is loaded.
 *
 * Data off the wire lives for microseconds, in buffers outside V8's heap whose small handles fill the young generation
 * slowly: left to grow to 32 MB, it is collected so seldom that tens of megabytes of dead buffers pile up. With 20,000 pods
 * listed, RSS is 208 MiB instead of 259, at the same CPU time. The growth factor is the only setting that works after
 * the process has started; `--max-semi-space-size=2` on the command line does the same.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
