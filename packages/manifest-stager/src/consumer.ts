import { addonOf } from './manifest.ts';

/** Who will read the files. */
export const consumers = ['k3s', 'rke2', 'kubelet', 'k0s', 'talos', 'none'] as const;
export type Consumer = (typeof consumers)[number];

/** How a consumer reads a folder of manifests; names are base names. */
export interface Reader {
  /** Its auto-deploy folder below the root; null when it has none on the node. */
  folder: string | null;
  recursive: boolean;
  reads: (file: string) => boolean;
  /** Whether each file becomes an AddOn of the file's name. */
  addons: boolean;
  /** Why an AddOn name is not ours to take. */
  reserved: (addon: string) => boolean;
}

const never = () => false;
/** k3s pkg/deploy/controller.go skipFile: case does not matter in the extension, dotfiles are skipped. */
const manifestFile = (file: string) => /^[^.].*\.(yaml|yml|json)$/i.test(file);
const addons = { recursive: true, reads: manifestFile, addons: true };
const plain = { recursive: false, addons: false, reserved: never };
const packaged = ['ccm', 'coredns', 'local-storage', 'metrics-server', 'rolebindings', 'runtimes', 'traefik'];
const charts = (addon: string) =>
  (addon.startsWith('rke2-') && !addon.endsWith('-config')) || addon.startsWith('harvester-');

/** Reading rules by consumer: the kubelet takes every file without a leading dot, k0s globs `*.yaml`. */
export const readers: Readonly<Record<Consumer, Reader>> = {
  k3s: { ...addons, folder: '/var/lib/rancher/k3s/server/manifests', reserved: (addon) => packaged.includes(addon) },
  rke2: { ...addons, folder: '/var/lib/rancher/rke2/server/manifests', reserved: charts },
  kubelet: { ...plain, folder: '/etc/kubernetes/manifests', reads: (file) => !file.startsWith('.') },
  k0s: { ...plain, folder: '/var/lib/k0s/manifests/platter', reads: (file) => file.endsWith('.yaml') },
  talos: { ...plain, folder: null, reads: never },
  none: { ...plain, folder: null, reads: never },
};

/** The AddOn a consumer makes of a file; null for one that knows none. */
export const addonFor = (consumer: Consumer, file: string): string | null =>
  readers[consumer].addons ? addonOf(file) : null;
