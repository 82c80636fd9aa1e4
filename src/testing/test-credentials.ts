/** Kubeconfigs in a folder of their own: for the tests of credentials. */
import assert from 'node:assert/strict';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { codeOf, type ConfigError } from '../errors.ts';
import { loadCredentials, type CredentialOptions } from '../source/credentials.ts';

export interface KubeconfigFolder {
  readonly pathOf: (name: string) => string;
  /** Writes a file, by default a new one. Resolves to its path. */
  readonly write: (text: string, name?: string) => Promise<string>;
  /** A kubeconfig with one context `main`; `user` and `cluster` are added to the entries. JSON is YAML. */
  readonly kubeconfig: (user: object, cluster?: object) => Promise<string>;
}

/** The folder exists while the tests of the calling file run. */
export function kubeconfigFolder(): KubeconfigFolder {
  let folder = '';
  let files = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'watchchain-credentials-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function write(text: string, name = `file-${files++}`): Promise<string> {
    const path = join(folder, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, text);
    return path;
  }
  return {
    pathOf: (name) => join(folder, name),
    write,
    kubeconfig(user, cluster = {}) {
      const server = 'http://127.0.0.1:6443';
      return write(
        JSON.stringify({
          clusters: [{ name: 'prod-eu', cluster: { server, ...cluster } }],
          users: [{ name: 'me', user }],
          contexts: [{ name: 'main', context: { cluster: 'prod-eu', user: 'me', namespace: 'shop' } }],
          'current-context': 'main',
        }),
      );
    },
  };
}

/** Why no credentials are found. */
export async function credentialProblem(options: CredentialOptions): Promise<string> {
  const thrown: unknown = await loadCredentials(options).then(
    () => assert.fail('it must be refused'),
    (error: unknown) => error,
  );
  assert.equal(codeOf(thrown), 'CONFIG', String(thrown));
  return (thrown as ConfigError).message;
}
