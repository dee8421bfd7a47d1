/** One mount as /proc/<pid>/mountinfo tells it. `root` is what of its filesystem is mounted: `/` or a directory of it. */
export interface Mount {
  device: string;
  root: string;
  point: string;
  options: string[];
  type: string;
  source: string;
}

const decoded = (field: string) =>
  field.replace(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8)));

/** Reads a mountinfo file (proc(5)): octal escapes are decoded, optional fields skipped; `device` is "maj:min". */
export function parseMounts(content: string): Mount[] {
  return content.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , device, root, point, options] = before.split(' ');
    const [type, source] = after.split(' ');
    if (device === undefined || root === undefined || point === undefined || type === undefined) return [];
    const paths = { root: decoded(root), point: decoded(point), source: decoded(source ?? '') };
    return [{ device, ...paths, options: (options ?? '').split(','), type }];
  });
}
