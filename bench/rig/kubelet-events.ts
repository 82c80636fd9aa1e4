/** Kubernetes Events of the size and shape of a kubelet's: 1.4 KB as JSON, a third of it managedFields. */
import type { Manifest } from '../../src/change.ts';
import { hex } from '../../src/testing/pods.ts';

const FIELDS = {
  'f:count': {},
  'f:firstTimestamp': {},
  'f:involvedObject': {},
  'f:lastTimestamp': {},
  'f:message': {},
  'f:reason': {},
  'f:reportingComponent': {},
  'f:reportingInstance': {},
  'f:source': { 'f:component': {}, 'f:host': {} },
  'f:type': {},
};

/** The nth Event, each with its own name, about one of 500 pods on 100 nodes. Deterministic. */
export function kubeletEvent(n: number): Manifest {
  const pod = `checkout-${hex(n % 40, 9)}-${(n % 500).toString(36).padStart(5, '0')}`;
  const namespace = `team-${n % 50}`;
  const time = '2026-01-05T08:00:42Z';
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      name: `${pod}.${n.toString(16).padStart(16, '1')}`,
      namespace,
      uid: `${hex(n, 8)}-7b1d-4c52-8f0a-${n.toString(16).padStart(12, '0')}`,
      creationTimestamp: time,
      managedFields: [
        { manager: 'kubelet', operation: 'Update', apiVersion: 'v1', time, fieldsType: 'FieldsV1', fieldsV1: FIELDS },
      ],
    },
    involvedObject: {
      kind: 'Pod',
      namespace,
      name: pod,
      uid: `${hex(n % 500, 8)}-5a3c-4f1e-9b7d-${hex(n % 500, 12)}`,
      apiVersion: 'v1',
      resourceVersion: String(100_000 + n),
      fieldPath: 'spec.containers{checkout}',
    },
    reason: 'BackOff',
    message: `Back-off restarting failed container checkout in pod ${pod}_${namespace}(${hex(n, 8)})`,
    source: { component: 'kubelet', host: `node-${n % 100}` },
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
    type: 'Warning',
    eventTime: null,
    reportingComponent: 'kubelet',
    reportingInstance: `node-${n % 100}`,
  };
}
