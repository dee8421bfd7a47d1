import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Consumer } from '../src/consumer.ts';
import { judged } from '../src/lint/judge.ts';
import type { Mode } from '../src/manifest.ts';
import { readObjects } from '../src/objects.ts';

const content = (text: string) => readObjects(new TextEncoder().encode(text));
function findings(
  text: string,
  { name = 'x', consumer = 'none', mode = 'every-boot' }: { name?: string; consumer?: Consumer; mode?: Mode } = {},
) {
  return judged({ name, consumer, mode, items: content(text).items });
}
const rules = (text: string, about?: Parameters<typeof findings>[1]) => [
  ...new Set(findings(text, about).map(({ rule }) => rule)),
];

const map = (metadata: string, rest = '') => `apiVersion: v1\nkind: ConfigMap\nmetadata: {${metadata}}\n${rest}`;
const job = (metadata = 'name: j, namespace: ns', spec = '') =>
  `apiVersion: batch/v1\nkind: Job\nmetadata: {${metadata}}\nspec:\n  backoffLimit: 0\n${spec}  template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}\n`;
const pod = (spec: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: ns}\nspec:\n  containers: [{name: c, image: i}]\n${spec}`;
const env = (value: string) =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: ns}\nspec: {template: {spec: {containers: [{name: c, env: [{name: E, value: ${value}}]}]}}}\n`;
const first = { mode: 'first-boot' } as const;

describe('each rule finds its fault, and lets a near miss pass', () => {
  it.for([
    ['G102', 'kind: ConfigMap\nmetadata: {name: a}\n', map('name: a'), {}],
    ['G102', 'apiVersion: v1\nmetadata: {name: a}\n', map('name: a.b-c'), {}],
    ['G102', 'apiVersion: v1\nkind: ConfigMap\n', map('name: "1"'), {}],
    ['G102', map('name: 1'), map('name: "1"'), {}],
    [
      'G102',
      map('name: A'),
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: "system:A"}\n',
      {},
    ],
    [
      'G102',
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: a/b, namespace: ns}\n',
      map('name: a', ''),
      {},
    ],
    ['G102', map('name: a, namespace: a.b'), map('name: a, namespace: a-b'), {}],
    ['G102', map('name: a, namespace: 7'), map('name: a, namespace: "7"'), {}],
    ['G103', map('generateName: a-'), map('name: a'), {}],
    ['G104', `${map('name: a')}---\n${map('name: a')}`, `${map('name: a')}---\n${map('name: a, namespace: b')}`, {}],
    [
      'G104',
      `${env('"1"')}---\n${env('"2"')}`.replace('apps/v1', 'apps/v1beta1'),
      `${env('"1"')}---\n${env('"1"').replace('apps/v1', 'other/v1')}`,
      {},
    ],
    ['G106', env('on'), env('"on"'), {}],
    ['G106', env('1.10'), env('1.1.0'), {}],
    ['G106', env('2026'), env('2026-06-02'), {}],
    ['G106', map('name: a, labels: {v: 1.10}'), map('name: a, labels: {v: "1.10"}'), {}],
    ['G106', map('name: a, annotations: {v: {}}'), map('name: a, annotations: {v: }'), {}],
    [
      'G106',
      job('name: j, namespace: ns').replace('{spec: {restart', '{metadata: {labels: {a: yes}}, spec: {restart'),
      job(),
      {},
    ],
    ['K101', map('name: a'), map('name: a'), { consumer: 'k3s', name: 'a_b' }, { consumer: 'k3s', name: 'a-b' }],
    ['K101', map('name: a'), map('name: a'), { consumer: 'rke2', name: 'Ab' }, { consumer: 'none', name: 'Ab' }],
    ['K101', map('name: a'), map('name: a'), { consumer: 'k3s', name: 'a-.b' }, { consumer: 'k3s', name: 'a.b-C_' }],
    [
      'K101',
      map('name: a'),
      map('name: a'),
      { consumer: 'k3s', name: 'x'.repeat(64) },
      { consumer: 'k3s', name: 'x'.repeat(63) },
    ],
    [
      'K101',
      map('name: a'),
      map('name: a'),
      { consumer: 'k3s', name: 'a_b' },
      { ...first, consumer: 'k3s', name: 'a_b' },
    ],
    ['K201', job(undefined, '  ttlSecondsAfterFinished: 0\n'), job(), { consumer: 'k3s' }],
    [
      'K201',
      job(undefined, '  ttlSecondsAfterFinished: 0\n'),
      job(undefined, '  ttlSecondsAfterFinished: 0\n'),
      { consumer: 'talos' },
      { consumer: 'none' },
    ],
    ['P301', map('name: a'), pod(''), { consumer: 'kubelet' }],
    ['P301', `${pod('')}---\n${map('name: a')}`, pod(''), { consumer: 'kubelet' }],
    ['P302', pod('  serviceAccountName: s\n'), pod('  hostNetwork: true\n'), { consumer: 'kubelet' }],
    [
      'P302',
      pod('  volumes: [{name: v, configMap: {name: c}}]\n'),
      pod('  volumes: [{name: v, hostPath: {path: /c}}]\n'),
      { consumer: 'kubelet' },
    ],
    [
      'P302',
      pod('  volumes: [{name: v, projected: {sources: [{secret: {name: c}}]}}]\n'),
      pod('  volumes: [{name: v, projected: {sources: [{downwardAPI: {}}]}}]\n'),
      { consumer: 'kubelet' },
    ],
    [
      'P302',
      pod('  volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]\n'),
      pod('  volumes: [{name: v, emptyDir: {}}]\n'),
      { consumer: 'kubelet' },
    ],
    [
      'P302',
      pod('  initContainers: [{name: i, envFrom: [{secretRef: {name: s}}]}]\n'),
      pod('  initContainers: [{name: i, env: [{name: A, value: b}]}]\n'),
      { consumer: 'kubelet' },
    ],
    [
      'P302',
      pod('  initContainers: [{name: i, env: [{name: A, valueFrom: {configMapKeyRef: {name: c}}}]}]\n'),
      pod('  initContainers: [{name: i, env: [{name: A, valueFrom: {fieldRef: {}}}]}]\n'),
      { consumer: 'kubelet' },
    ],
    ['P302', pod('  ephemeralContainers: [{name: e}]\n'), pod(''), { consumer: 'kubelet' }],
    ['O403', map('name: a'), map('name: a, namespace: ns'), { consumer: 'k0s' }],
    ['O403', map('name: a'), 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n', { consumer: 'k0s' }],
    ['O403', map('name: a'), 'apiVersion: example.com/v1\nkind: ConfigMap\nmetadata: {name: a}\n', { consumer: 'k0s' }],
    ['T502', map('name: a'), map('name: a'), { ...first, consumer: 'talos' }, { consumer: 'talos' }],
    ...[
      'Pod',
      'Deployment',
      'StatefulSet',
      'DaemonSet',
      'ReplicaSet',
      'ReplicationController',
      'CronJob',
      'HelmChart',
      'HelmChartConfig',
    ].map(
      (kind) =>
        [
          'F601',
          `apiVersion: v1\nkind: ${kind}\nmetadata: {name: a, namespace: ns}\n`,
          `apiVersion: v1\nkind: ${kind}Other\nmetadata: {name: a, namespace: ns}\n`,
          first,
        ] as const,
    ),
    ['F602', job(undefined, '  suspend: false\n'), job(), first],
    [
      'F602',
      job(undefined, '  ttlSecondsAfterFinished: 9\n'),
      job(undefined, '  ttlSecondsAfterFinished: null\n'),
      first,
    ],
    ['F602', job(undefined, '  manualSelector: true\n'), job(undefined, '  activeDeadlineSeconds: 9\n'), first],
    ['F602', job('name: j'), job(), first],
    [
      'F602',
      job('name: j, namespace: ns, labels: {kueue.x-k8s.io/queue-name: q}'),
      job('name: j, namespace: ns, labels: {queue-name: q}'),
      first,
    ],
    [
      'F604',
      job('name: j, namespace: ns, annotations: {platter.dev/first-boot-retry: "0"}'),
      job('name: j, namespace: ns, annotations: {platter.dev/first-boot-retry: "10"}'),
      first,
    ],
    [
      'F604',
      job('name: j, namespace: ns, annotations: {platter.dev/first-boot-retry: "11"}'),
      job('name: j, namespace: ns, annotations: {platter.dev/first-boot-retry: "1"}'),
      first,
    ],
    [
      'F604',
      `${job('name: j, namespace: ns, annotations: {platter.dev/first-boot-retry: "1"}')}---\n${job('name: k, namespace: ns')}`,
      `${job('name: j, namespace: ns, annotations: {platter.dev/first-boot-retry: "1"}')}---\n${job('name: k, namespace: ns, annotations: {platter.dev/first-boot-retry: "2"}')}`,
      first,
    ],
  ] as [string, string, string, Parameters<typeof findings>[1], Parameters<typeof findings>[1]?][])(
    '%s: %#',
    ([rule, bad, good, about, goodAbout]) => {
      expect(content(bad).findings).toEqual([]);
      expect(rules(bad, about)).toEqual([rule]);
      expect(rules(good, goodAbout ?? about)).toEqual([]);
    },
  );
});

it('retry that is a number breaks two rules', () => {
  expect(rules(job('name: j, namespace: ns, annotations: {platter.dev/first-boot-retry: 3}'), first)).toEqual([
    'F604',
    'G106',
  ]);
});

it('first-boot content is not judged by the rules of the auto-deploy folder', () => {
  expect(rules(job(), { ...first, consumer: 'kubelet', name: 'A_b' })).toEqual([]);
});

it('says where: the key at fault, and for a missing one the nearest thing above it', () => {
  const [found] = findings(job(undefined, '  ttlSecondsAfterFinished: 5\n'), { consumer: 'k3s' });
  expect(found).toMatchObject({ rule: 'K201', line: 6, column: 3, object: 'Job ns/j' });
  expect(findings('apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels: {}\n')[0]).toMatchObject({
    rule: 'G102',
    line: 3,
    column: 1,
  });
  expect(findings(map('name: a'), { consumer: 'k3s', name: 'a_b' })[0]).toMatchObject({
    line: 1,
    column: 1,
    object: null,
  });
});

it('is not thrown off by kinds and shapes that nobody expects', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('constructor', '__proto__', 'toString', 'Pod', 'Job', 'CronJob', 'List'),
      fc.json({ maxDepth: 4 }),
      (kind, json) => {
        const text = `{"apiVersion": "${kind}/v1", "kind": "${kind}", "metadata": ${json}, "spec": ${json}, "items": ${json}}`;
        for (const consumer of ['k3s', 'kubelet', 'k0s', 'talos'] as const)
          for (const mode of ['every-boot', 'first-boot'] as const) findings(text, { consumer, mode });
      },
    ),
    { numRuns: 300 },
  );
});

it('law: the order of documents does not change what is found', () => {
  const documents = [
    map('name: a'),
    map('name: 1'),
    job('name: j'),
    job(undefined, '  suspend: true\n'),
    env('on'),
    pod('  serviceAccountName: s\n'),
  ];
  const about = (n: number) =>
    [{ consumer: 'k3s' }, { consumer: 'kubelet' }, { consumer: 'k0s' }, first][n] as Parameters<typeof findings>[1];
  fc.assert(
    fc.property(fc.shuffledSubarray(documents, { minLength: 1 }), fc.nat(3), (some, n) => {
      const said = (texts: string[]) =>
        findings(texts.join('---\n'), about(n))
          .map(({ rule, message }) => `${rule} ${message}`)
          .sort();
      expect(said(some)).toEqual(said(some.toReversed()));
    }),
    { numRuns: 100 },
  );
});
