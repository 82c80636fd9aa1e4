/** The main job on the embedded API server; test/cluster runs the same tests on a real control plane. */
import { after } from 'node:test';
import { startApiServer } from '../../src/testing/api-server.ts';
import { mainJob } from './main-job.ts';
import { Workdir } from './program.ts';

const server = await startApiServer();
const workdir = await Workdir.make();
const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
after(async () => {
  await server.close();
  await workdir[Symbol.asyncDispose]();
});

mainJob('the embedded API server', () => Promise.resolve({ url: server.url, kubeconfig }));
