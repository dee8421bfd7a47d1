import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';

const features =
  'none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum';

/** What `ensure` makes, by the programs it is made of, with their own flags, and as durable. */
const commands = `set -e
truncate -s 10G raw
mkfs.ext4 -q -F -b 4096 -m 1 -L platter-data -O ${features} -E lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0 raw
qemu-img convert -f raw -O qcow2 -o compat=1.1,cluster_size=65536,lazy_refcounts=off raw disk.qcow2
rm raw
sync disk.qcow2 .`;

export const benches: readonly Bench[] = [
  {
    name: 'disk-tools ensure',
    needs: ['qemu-img'],
    rounds: 10,
    reach: 2,
    setup: (dir) => {
      const clear = () => rm(join(dir, 'disk.qcow2'), { force: true });
      const ensure = ['disk-tools', 'ensure', join(dir, 'disk.qcow2'), '--size', '10G', '--label', 'platter-data'];
      return {
        ours: { label: '`ensure` of a 10 GiB ext4 qcow2', argv: ensure, prepare: clear },
        theirs: {
          label: 'truncate, mkfs.ext4, qemu-img convert, sync',
          argv: ['sh', '-c', `cd ${dir}; ${commands}`],
          prepare: clear,
        },
      };
    },
  },
];
