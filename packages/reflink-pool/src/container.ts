const ascii = (bytes: Uint8Array, at: number, length: number) =>
  String.fromCharCode(...bytes.subarray(at, at + length));

const marks: readonly [format: string, at: number, mark: string][] = [
  ['qcow2', 0, 'QFI\xfb'],
  ['VMDK', 0, 'KDMV'],
  ['VMDK', 0, 'COWD'],
  ['VMDK', 0, '# Disk DescriptorFile'],
  ['VDI', 64, '\x7f\x10\xda\xbe'],
  ['VHDX', 0, 'vhdxfile'],
  ['VHD', 0, 'conectix'],
];

/**
 * The image format a file begins with, or (VHD) ends with; null for bytes that are no container we know. `start` is its
 * first 512 bytes, `end` its last 512. Marks of the qcow2, VMDK, VDI, VHDX and VHD specifications.
 */
export function containerOf(start: Uint8Array, end: Uint8Array): string | null {
  const found = marks.find(([, at, mark]) => ascii(start, at, mark.length) === mark);
  return found?.[0] ?? (ascii(end, 0, 8) === 'conectix' ? 'VHD' : null);
}
