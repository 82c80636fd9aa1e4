/**
 * Runs the image's last stage like a container, in its own network: started by test/dockerfile.test.ts under
 * `unshare --net --mount`, with the folder that represents `/` and a folder with `etc` and `state`. The root is read-only,
 * the user is nobody's, and only the API server, which runs here, can be reached. Prints how it ended, as JSON.
 */
import { execFileSync } from 'node:child_process';
import { startApiServer } from '../../src/testing/api-server.ts';
import { deployment } from './cluster.ts';
import { Program } from './program.ts';

const [root = '', folder = '', user = '', ...command] = process.argv.slice(2);
const mounts = [
  `mount --bind ${root} ${root}`,
  `mount -o remount,bind,ro ${root}`,
  `mount --bind ${folder}/etc ${root}/etc/watchchain`,
  `mount --bind ${folder}/state ${root}/var/lib/watchchain`,
  `mount -t proc proc ${root}/proc`,
];
execFileSync('ip', ['link', 'set', 'lo', 'up']);
execFileSync('sh', ['-ec', mounts.join('\n')]);

await using server = await startApiServer();
await server.writeKubeconfig(`${folder}/etc/kubeconfig`);
execFileSync('chown', ['-R', user, `${folder}/etc`, `${folder}/state`]);
const [node = '', ...flags] = command;
const main = flags.pop() ?? '';
await using program = new Program(
  ['run', '-c', '/etc/watchchain/config.toml', '-k', '/etc/watchchain/kubeconfig', '--listen', '127.0.0.1:0'],
  {
    main,
    flags,
    // Runs the image's own Node instead of ours.
    under: ['sh', '-c', `shift; exec chroot --userspec=${user} ${root} ${node} "$@"`, 'sh'],
    env: { WATCHCHAIN_STATE: '/var/lib/watchchain', NODE_ENV: 'production' },
  },
);
await program.ready();
server.create(deployment('web'));
await program.until('an entry for the deployment', ({ stdout }) => stdout.includes('default/web'));
process.stdout.write(JSON.stringify(await program.stop()));
