import { dnsLabel } from '@platter/units/name';
import { addonOf, fileOf } from '../manifest.ts';
import { dig, entriesOf, type Item } from '../objects.ts';
import type { Path } from '../yaml.ts';
import { isNamespaced } from './kinds.ts';
import { containers, listed } from './pod.ts';
import { each, quoted, type Rule, readBy, type Spot, type Subject } from './rule.ts';

type Part = Omit<Spot, 'item'>;

function addonName({ name }: Subject): Spot[] {
  const addon = addonOf(fileOf(name));
  if (dnsLabel.pattern.test(addon) && addon.length <= dnsLabel.max) return [];
  const message = `AddOn ${JSON.stringify(addon)} is not a DNS label: the file is rejected, and k3s then applies all files again every 15 s`;
  return [{ message, hint: `call it by ${dnsLabel.rule}` }];
}

function timeToLive(item: Item): Part[] {
  if (item.kind !== 'Job' || (dig(item.value, 'spec', 'ttlSecondsAfterFinished') ?? null) === null) return [];
  const message = `${quoted(item)} has ttlSecondsAfterFinished: once it is gone, it is created again at every start`;
  return [{ message, hint: 'leave ttlSecondsAfterFinished out', path: ['spec', 'ttlSecondsAfterFinished'] }];
}

function onePod({ items }: Subject): Spot[] {
  const [first, second] = items;
  if (first?.kind === 'Pod' && second === undefined) return [];
  const item = first?.kind === 'Pod' ? second : first;
  const message = 'the kubelet reads exactly one Pod from a file';
  return [{ ...(item === undefined ? {} : { item }), message, hint: 'make it one Pod, and nothing else' }];
}

/** What a static Pod must not refer to: there may be no API server to ask. */
function references(item: Item): Part[] {
  if (item.kind !== 'Pod') return [];
  const paths: Path[] = [
    ...['serviceAccountName', 'serviceAccount', 'imagePullSecrets', 'ephemeralContainers', 'resourceClaims'].map(
      (field) => ['spec', field],
    ),
    ...listed(item, ['spec', 'volumes']).flatMap(volumeReferences),
    ...containers(item).flatMap((container) => environmentReferences(item, container.path)),
  ];
  return paths
    .filter((path) => (dig(item.value, ...path) ?? null) !== null)
    .map((path) => ({
      message: `${quoted(item)} has ${path.join('.')}: a static Pod cannot refer to other objects`,
      hint: 'use host files and plain values',
      path,
    }));
}

const volumeSources = ['configMap', 'secret', 'persistentVolumeClaim', 'ephemeral'];
const projections = ['configMap', 'secret', 'serviceAccountToken', 'clusterTrustBundle', 'podCertificate'];

function volumeReferences({ path, value }: { path: Path; value: Record<string, unknown> }): Path[] {
  const sources = dig(value, 'projected', 'sources');
  const projected = Array.isArray(sources) ? sources.map((_, n) => [...path, 'projected', 'sources', n]) : [];
  return [
    ...volumeSources.map((source) => [...path, source]),
    ...projected.flatMap((source) => projections.map((kind) => [...source, kind])),
  ];
}

function environmentReferences(item: Item, container: Path): Path[] {
  const env = listed(item, [...container, 'env']).flatMap(({ path }) =>
    ['configMapKeyRef', 'secretKeyRef'].map((source) => [...path, 'valueFrom', source]),
  );
  const whole = listed(item, [...container, 'envFrom']).flatMap(({ path }) =>
    ['configMapRef', 'secretRef'].map((source) => [...path, source]),
  );
  return [...env, ...whole];
}

function placed(item: Item): Part[] {
  if (item.namespace !== null || !isNamespaced(item)) return [];
  const path = entriesOf(item.value.metadata).some(([key]) => key === 'namespace')
    ? ['metadata', 'namespace']
    : ['metadata'];
  return [
    { message: `${quoted(item)} has no namespace: k0s does not apply it`, hint: 'give it metadata.namespace', path },
  ];
}

function hostless({ items }: Subject): Spot[] {
  const [item] = items;
  const message = 'first-boot manifests need a runner on the host: on Talos nothing of ours runs there';
  return [
    { ...(item === undefined ? {} : { item }), message, hint: 'leave --first-boot out, or choose another --consumer' },
  ];
}

/** Rules of the readers of auto-deploy folders. */
export const perConsumer: readonly Rule[] = [
  { id: 'K101', applies: readBy('k3s', 'rke2'), check: addonName },
  { id: 'K201', applies: readBy('k3s', 'rke2', 'k0s', 'talos'), check: each(timeToLive) },
  { id: 'P301', applies: readBy('kubelet'), check: onePod },
  { id: 'P302', applies: readBy('kubelet'), check: each(references) },
  { id: 'O403', applies: readBy('k0s'), check: each(placed) },
  { id: 'T502', applies: ({ mode, consumer }) => mode === 'first-boot' && consumer === 'talos', check: hostless },
];
