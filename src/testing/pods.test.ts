import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deployment, pod, withImage, withNoise } from './pods.ts';

const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

describe('pods', () => {
  for (const [name, generate] of [
    ['pod()', pod],
    ['deployment()', deployment],
  ] as const) {
    test(`${name} is about 7.7 KB, 40 % of it managedFields, and the same each time`, () => {
      for (const n of [0, 1, 19_999]) {
        const manifest = generate(n);
        const share = bytes(manifest.metadata['managedFields']) / bytes(manifest);
        assert(Math.abs(bytes(manifest) - 7_700) < 200, `${bytes(manifest)} bytes`);
        assert(share > 0.37 && share < 0.45, `share ${share}`);
        assert.deepEqual(generate(n), manifest);
      }
      assert.notEqual(generate(1).metadata.uid, generate(2).metadata.uid);
    });

    test(`withNoise() and withImage() change only what they should in a ${name}`, () => {
      const manifest = generate(3);
      const { metadata, status, ...rest } = withNoise(manifest, 5);
      assert.deepEqual({ ...rest, metadata: metadata.labels }, { ...rest, metadata: manifest.metadata.labels });
      assert.notDeepEqual(status, manifest['status']);
      const changed = withImage(manifest, '9');
      assert.notDeepEqual(changed['spec'], manifest['spec']);
      assert.deepEqual([changed.metadata, changed['status']], [manifest.metadata, manifest['status']]);
    });
  }
});
