/** What the running program reports over HTTP. */
import type { Program } from '../e2e/program.ts';
import { until } from '../until.ts';

/** The text of `/readyz` or `/metrics`, whatever its status. */
export async function page(program: Program, path: '/readyz' | '/metrics'): Promise<string> {
  const address = /"address":"([^"]+)"/.exec(program.stderr)?.[1];
  if (address === undefined) throw new Error(`The program listens nowhere\n${program.stderr}`);
  return (await fetch(`http://${address}${path}`)).text();
}

/** Resolves once the program has listed and watches `resource`, such as `apps/v1/deployments`. */
export function watching(program: Program, resource: string): Promise<void> {
  const synced = (line: string) =>
    line.startsWith('watchchain_scope_synced{') && line.includes(`resource="${resource}"`) && line.endsWith(' 1');
  return until(
    `${resource} is watched`,
    async () => (await page(program, '/metrics')).split('\n').some(synced),
    120_000,
  );
}
