import { after, before } from 'node:test';
import { mainJob } from '../e2e/main-job.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';

let plane: ControlPlane;
before(async () => {
  plane = await startControlPlane();
});
after(() => plane[Symbol.asyncDispose]());

mainJob('the real control plane', () => plane.access());
