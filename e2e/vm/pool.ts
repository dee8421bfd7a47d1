import type { Shell } from './disk.ts';

/** Shell lines of all that follows: images full of one letter, and the verbs on the pool of the disk. */
export const words = `
  export PLATTER_POOL=$PWD/pool
  image() { head -c 262144 /dev/zero | tr "\\0" $1 >$1; }
  overwrite() { dd if=$1 of=pool/$2-dirty.img conv=notrunc status=none; }
  boot() {
    sed -i "s/\\"bootId\\":\\"[^\\"]*\\"/\\"bootId\\":\\"$1\\"/" pool/.platter/sessions/*
    grep -q "\\"bootId\\":\\"$1\\"" pool/.platter/sessions/*
  }`;

/** A pool, and volumes whose head is B; of the state before, A, it keeps a number where the policy does. */
export const pool = (...volumes: string[]): string => `
  ${words}
  for each in A B C; do image $each; done
  mkdir pool
  reflink-pool init --reserve 0 --allow-copy
  for volume in ${volumes.join(' ')}; do
    for each in A B; do reflink-pool import $volume $each --create --copy; done
  done`;

/** The volumes are started here, in no boot that anybody will see; `resumed` makes it the boot of the machine that asks. */
export const started = (...volumes: string[]): string => `
  reflink-pool start ${volumes.join(' ')}
  boot none`;
export const resumed = `
  ${words}
  boot $(cat /proc/sys/kernel/random/boot_id)`;

/** What files hold, in order: A, B or C when they equal that image to the last byte, otherwise their name. */
export async function contents(shell: Shell, files: string): Promise<string[]> {
  const equal = 'for each in A B C; do cmp -s $each $file && echo $each && continue 2; done';
  return (await shell(`for file in ${files}; do ${equal}; echo $file; done`)).stdout.trim().split('\n');
}
