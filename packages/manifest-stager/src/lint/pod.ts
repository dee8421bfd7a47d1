import { dig, elementsOf, type Item, isMap } from '../objects.ts';
import type { Path } from '../yaml.ts';

/** Where each kind keeps the template of its Pods; a Pod is its own. */
const templates = new Map<string, Path>(
  Object.entries({
    Pod: [],
    PodTemplate: ['template'],
    Deployment: ['spec', 'template'],
    StatefulSet: ['spec', 'template'],
    DaemonSet: ['spec', 'template'],
    ReplicaSet: ['spec', 'template'],
    ReplicationController: ['spec', 'template'],
    Job: ['spec', 'template'],
    CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
  }),
);

/** The paths of everything in an object that has labels and annotations: itself and the templates in it. */
export function metadataPaths({ kind }: Item): Path[] {
  const template = templates.get(kind);
  const inner = template === undefined || template.length === 0 ? [] : [[...template, 'metadata']];
  return [['metadata'], ...inner, ...(kind === 'CronJob' ? [['spec', 'jobTemplate', 'metadata']] : [])];
}

/** The path of the Pod spec in an object; undefined for kinds that have none. */
function podSpecPath({ kind }: Item): Path | undefined {
  const template = templates.get(kind);
  return template && [...template, 'spec'];
}

/** The elements of a list in an object that are maps, each with its path. */
export function listed(item: Item, path: Path): { path: Path; value: Record<string, unknown> }[] {
  const elements = elementsOf(dig(item.value, ...path)).map((value, n) => ({ path: [...path, n], value }));
  return elements.filter((element): element is { path: Path; value: Record<string, unknown> } & typeof element =>
    isMap(element.value),
  );
}

/** All containers of an object's Pods, each with its path. */
export function containers(item: Item): ReturnType<typeof listed> {
  const spec = podSpecPath(item);
  if (spec === undefined) return [];
  return ['initContainers', 'containers', 'ephemeralContainers'].flatMap((list) => listed(item, [...spec, list]));
}
