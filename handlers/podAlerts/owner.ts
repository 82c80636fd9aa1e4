/** Whose pod it is: what people deploy, not what a controller made of it. By names alone, without asking the cluster. */
import type { Manifest } from '../../src/change.ts';
import { factsOf, ownerOfFacts, type Involved, type ObjectReference } from '../../src/enrich/involved.ts';

export type Owner = {
  readonly apiVersion: string;
  readonly kind: string;
  /** Undefined for a node. */
  readonly namespace?: string;
  readonly name: string;
};

type OwnedObject = Pick<Involved, 'namespace' | 'name' | 'labels' | 'ownerReferences'>;

/**
 * A replica set is named after its deployment and the hash of the pod template, which its pods have as a label; a cron job's job
 * after the cron job and the scheduled minute. What nobody owns is its own owner.
 */
export function ownerOf(pod: OwnedObject): Owner {
  const { namespace, labels } = pod;
  const controller = ownerOfFacts(pod);
  const within = namespace === undefined ? {} : { namespace };
  // A static pod, from a manifest on the node's disk, is owned by its node.
  if (controller === undefined || controller.kind === 'Node')
    return { apiVersion: 'v1', kind: 'Pod', ...within, name: pod.name };
  const { apiVersion, kind, name } = controller;
  return { ...(above(kind, name, labels) ?? { apiVersion, kind, name }), ...within };
}

export function ownerOfPod({ metadata }: Manifest): Owner {
  const { namespace, name } = metadata;
  return ownerOf({ namespace, name, ...factsOf(metadata) });
}

/** Whether it was removed from its workload: by relabelling it for inspection, or with `--cascade=orphan`. */
export function hasLeftWorkload(pod: Manifest, before: Manifest): boolean {
  return groupOf(ownerOfPod(pod)) !== groupOf(ownerOfPod(before));
}

function above(kind: string, name: string, labels: Readonly<Record<string, string>>): Owner | undefined {
  switch (kind) {
    case 'ReplicaSet': {
      const deployment = without(name, labels['pod-template-hash']);
      if (deployment !== undefined) return { apiVersion: 'apps/v1', kind: 'Deployment', name: deployment };
      const rollout = without(name, labels['rollouts-pod-template-hash']);
      return rollout === undefined ? undefined : { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name: rollout };
    }
    case 'Job': {
      // The suffix is minutes since the epoch; 20 and six more digits are a date that a person wrote.
      const cronJob = /^(.+)-(?!20\d{6}$)\d{8,10}$/.exec(name)?.[1];
      return cronJob === undefined ? undefined : { apiVersion: 'batch/v1', kind: 'CronJob', name: cronJob };
    }
    case 'ReplicationController': {
      const config = labels['deploymentconfig'];
      return config === undefined
        ? undefined
        : { apiVersion: 'apps.openshift.io/v1', kind: 'DeploymentConfig', name: config };
    }
    default:
      return undefined;
  }
}

function without(name: string, hash: string | undefined): string | undefined {
  return hash !== undefined && name.endsWith(`-${hash}`) ? name.slice(0, -hash.length - 1) : undefined;
}

/** The name of the group that alerts of this owner are in. */
export function groupOf({ kind, namespace, name }: Owner): string {
  return namespace === undefined ? `${kind}/${name}` : `${namespace}/${kind}/${name}`;
}

/** The same owner as that of its pods. */
export function ownerOfJob({ namespace, name }: Pick<ObjectReference, 'namespace' | 'name'>): Owner {
  const within = namespace === undefined ? {} : { namespace };
  return { ...(above('Job', name, {}) ?? { apiVersion: 'batch/v1', kind: 'Job', name }), ...within };
}

export function ownerOfNode({ name }: Pick<ObjectReference, 'name'>): Owner {
  return { apiVersion: 'v1', kind: 'Node', name };
}
