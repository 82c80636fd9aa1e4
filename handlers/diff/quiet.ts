/** Fields that change without anybody having changed anything: left out unless switched on. */

/** The options that switch them on, each with the field paths it covers. */
export const QUIET = {
  status: ['status'],
  generation: ['metadata.generation'],
  resourceVersion: ['metadata.resourceVersion'],
  /** What `kubectl apply` last sent: the change itself, once more. */
  lastApplied: ['metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]'],
  /**
   * Counted by controllers with each rollout: RevisionAnnotation and RevisionHistoryAnnotation in
   * k8s.io/kubernetes/pkg/controller/deployment/util, DeprecatedTemplateGeneration in k8s.io/api/apps/v1.
   */
  revisions: [
    'metadata.annotations["deployment.kubernetes.io/revision"]',
    'metadata.annotations["deployment.kubernetes.io/revision-history"]',
    'metadata.annotations["deprecated.daemonset.template.generation"]',
  ],
} as const;

/** Cut by the source before any handler runs; `change.by` has their content. Recorded manifests may still have them. */
export const ALWAYS_QUIET = ['metadata.managedFields'] as const;
