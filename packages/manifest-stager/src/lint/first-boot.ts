import { dig, type Item } from '../objects.ts';
import { each, quoted, type Rule, type Spot, type Subject } from './rule.ts';

type Part = Omit<Spot, 'item'>;

const selfRunning = [
  'Pod',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'ReplicationController',
  'CronJob',
  'HelmChart',
  'HelmChartConfig',
];

/** Says how often a Job may be tried again; "1" to "10". */
const retryAnnotation = 'platter.dev/first-boot-retry';
const queueLabel = 'kueue.x-k8s.io/queue-name';

function held(item: Item): Part[] {
  if (!selfRunning.includes(item.kind)) return [];
  const message = `${quoted(item)} runs by itself: it cannot be held back until the disk is marked`;
  return [{ message, hint: 'make it a Job, or stage it for every boot', path: ['kind'] }];
}

function steady(item: Item): Part[] {
  if (item.kind !== 'Job') return [];
  const fields = ['suspend', 'ttlSecondsAfterFinished', 'manualSelector'].map((field) => ['spec', field]);
  const said = [...fields, ['metadata', 'labels', queueLabel]].filter(
    (path) => (dig(item.value, ...path) ?? null) !== null,
  );
  const parts = said.map((path) => ({
    message: `${quoted(item)} has ${path.at(-1)}: the runner alone lets a first-boot Job go, and keeps it`,
    hint: `leave ${path.at(-1)} out`,
    path,
  }));
  if (item.namespace !== null) return parts;
  return [
    ...parts,
    { message: `${quoted(item)} has no namespace`, hint: 'give it metadata.namespace', path: ['metadata'] },
  ];
}

const retries = (item: Item): unknown => dig(item.value, 'metadata', 'annotations', retryAnnotation);

function retried({ items }: Subject): Spot[] {
  const jobs = items.filter(({ kind }) => kind === 'Job');
  const some = jobs.some((job) => retries(job) !== undefined);
  return jobs.flatMap((item) => {
    const said = retries(item);
    if (said === undefined ? !some : typeof said === 'string' && /^([1-9]|10)$/.test(said)) return [];
    const what = said === undefined ? 'is missing here and given on another Job' : `is ${JSON.stringify(said)}`;
    const hint = 'give every Job of the manifest "1" to "10", or none of them';
    return [
      {
        item,
        message: `${retryAnnotation} of ${quoted(item)} ${what}`,
        hint,
        path: ['metadata', 'annotations', retryAnnotation],
      },
    ];
  });
}

const applies = ({ mode }: Subject) => mode === 'first-boot';

/** Rules of content that has to run once for each data disk. */
export const firstBoot: readonly Rule[] = [
  { id: 'F601', applies, check: each(held) },
  { id: 'F602', applies, check: each(steady) },
  { id: 'F604', applies, check: retried },
];
