/** Chains as kwatchman has them, and the deployment that its acceptance list changes. */
import { deployment } from '../e2e/cluster.ts';

/** A chain on deployments, of `diff` and the given handlers. */
export function chainOf(...handlers: string[]): string {
  return `[[resource]]\nkind = "deployment"\n${handlers.map((handler) => `[[handler]]\n${handler}\n`).join('')}`;
}

export const slackHandler = (url: string, id?: string) =>
  `name = "slack"\nwebhookURL = "${url}"\nmessagesPerSecond = 0\n${id === undefined ? '' : `id = "${id}"\n`}`;

/** Retries that a test can wait for. */
export const QUICK = '[retry]\nminTimeout = "10ms"\n';

export function image(to: string, replicas = 1): object {
  return deployment('web', to, replicas);
}
