/** Flags and variables that override a configuration file. */
import { leaseName, namespace, namespaces } from './names.ts';
import type { ResourceDefaults } from './resources.ts';
import { labelSelector } from './selector.ts';

/** From flags and variables; all override the file, except for the two that fill in what a resource leaves out. */
export interface Overrides {
  /** For resources that name no namespaces; several are separated by commas. */
  readonly namespace?: string | undefined;
  /** For resources without a label selector. */
  readonly labelSelector?: string | undefined;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  /** Folder of the state. */
  readonly state?: string | undefined;
  /** `[NAMESPACE/]NAME` of the Lease to hold. */
  readonly lease?: string | undefined;
}

export function overrideProblems(overrides: Overrides): readonly string[] {
  const forAll = namespaces.safeParse(defaultsOf(overrides).namespaces);
  const labels = labelSelector.optional().safeParse(overrides.labelSelector || undefined);
  const [leaseAt = '', ...lease] = (overrides.lease ?? 'name').split('/').toReversed();
  const isLease = leaseName.safeParse(leaseAt).success && namespace.array().max(1).safeParse(lease).success;
  return [
    ...(isLease ? [] : [`--lease: must be [NAMESPACE/]NAME: current value is "${overrides.lease}"`]),
    ...(forAll.error?.issues ?? []).map(
      ({ message }) => `--namespace: ${message}: current value is "${overrides.namespace}"`,
    ),
    ...(labels.error?.issues ?? []).map(
      ({ message }) => `--label-selector: ${message}: current value is "${overrides.labelSelector}"`,
    ),
  ];
}

export function defaultsOf({ namespace = '', labelSelector = '' }: Overrides): ResourceDefaults {
  const names = namespace.split(',').map((name) => name.trim());
  return { namespaces: names.filter((name) => name !== ''), labelSelector };
}
