import { setFlagsFromString } from 'node:v8';

/**
 * Called before the rest of the program is loaded: the young generation stays at its first size of 1 MB.
 *
 * What comes off the wire lives for microseconds, as buffers outside V8's heap whose small handles fill the young generation
 * slowly: left to grow to 32 MB, it is collected so seldom that tens of megabytes of dead buffers pile up. With 20,000 pods
 * listed that is 208 MiB of RSS instead of 259, at the same CPU time. The growth factor is the one knob that works after
 * the process has started; `--max-semi-space-size=2` on the command line does the same.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
