/** The variables in which make passes the folders of the tests' programs. */
const VARIABLES = { 'test-cluster': 'WATCHCHAIN_CONTROL_PLANE', 'test-node': 'WATCHCHAIN_NODE' } as const;

/** The folder of the programs that were built for the tests of a target. Throws if missing: these tests are never skipped. */
export function programs(target: keyof typeof VARIABLES): string {
  const variable = VARIABLES[target];
  const folder = process.env[variable];
  if (folder === undefined) throw new Error(`${variable} is not set: run these tests with \`make ${target}\``);
  return folder;
}
