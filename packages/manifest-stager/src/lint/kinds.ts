import { groupOf, type Identity } from '../objects.ts';

/** Namespaced kinds of Kubernetes 1.35 by group (kubectl api-resources --namespaced=true). */
const namespaced = new Map<string, readonly string[]>(
  Object.entries({
    '': [
      'ConfigMap',
      'Endpoints',
      'Event',
      'LimitRange',
      'PersistentVolumeClaim',
      'Pod',
      'PodTemplate',
      'ReplicationController',
      'ResourceQuota',
      'Secret',
      'Service',
      'ServiceAccount',
    ],
    apps: ['ControllerRevision', 'DaemonSet', 'Deployment', 'ReplicaSet', 'StatefulSet'],
    autoscaling: ['HorizontalPodAutoscaler'],
    batch: ['CronJob', 'Job'],
    'coordination.k8s.io': ['Lease'],
    'discovery.k8s.io': ['EndpointSlice'],
    'networking.k8s.io': ['Ingress', 'NetworkPolicy'],
    policy: ['PodDisruptionBudget'],
    'rbac.authorization.k8s.io': ['Role', 'RoleBinding'],
  }),
);

/** Whether an object is known to live in a namespace; of other groups we cannot tell. */
export const isNamespaced = (identity: Identity): boolean =>
  namespaced.get(groupOf(identity))?.includes(identity.kind) ?? false;
