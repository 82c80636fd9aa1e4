/** What the tests of commands share: a small configuration, and access to a cluster. */
import assert from 'node:assert/strict';
import type { ApiServer } from '../../src/testing/api-server.ts';
import type { Workdir } from './program.ts';
import { runCommand, type CommandOutput } from '../run-command.ts';

export const CONFIG = '[[resource]]\nkind = "deployment"\n[[handler]]\nname = "diff"\n[[handler]]\nname = "log"\n';

export async function run(
  workdir: Workdir,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<CommandOutput> {
  const said = await runCommand(args, { env: { HOME: workdir.path, ...env } });
  assert.doesNotMatch(said.stderr, /^\s+at /m, 'no stack trace');
  return said;
}

export async function clusterOf(workdir: Workdir, server: ApiServer) {
  return { url: server.url, kubeconfig: await server.writeKubeconfig(workdir.file('kubeconfig')) };
}
