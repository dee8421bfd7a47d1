/** System calls that move an image's bytes: a clone, a copy in the kernel, or a read or write of a file of images. */
export const dataCalls = {
  trace: 'ioctl,copy_file_range,sendfile,splice,read,write,pread64,pwrite64,readv,writev,preadv,pwritev,mmap',
  of: (calls: readonly string[]): string[] =>
    calls.filter(
      (call) =>
        /FICLONE|^(copy_file_range|sendfile|splice)\(/.test(call) || /^\w+\([^)]*\.img(\.\d+@[^>]*)?>/.test(call),
    ),
};
