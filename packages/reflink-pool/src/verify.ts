import { sha256Of } from './digest.ts';
import { withImage } from './facts.ts';
import { verifyKeepers } from './keepers.ts';
import { locked } from './lock.ts';
import { sameImage } from './naming.ts';
import type { Pool } from './pool.ts';
import type { VerificationRecord } from './records/health.ts';
import { isPrepared } from './state.ts';
import { put } from './steps.ts';
import { distinctImages, type Verdict, verification, verifyVolume } from './verifying.ts';
import { type Image, imageFacts, type Volume } from './volume.ts';

export interface VerifyWish {
  /** Read the images that have a digest. */
  content: boolean;
  /** Note the digest of those that have none. */
  record: boolean;
}

/** An image that is read, and what its bytes must give; null when that is to be noted. */
interface Reading {
  image: Image;
  expected: string | null;
}

/** What has to be read of a volume, a valid copy made ahead included: it is the next working copy. */
function readingsOf(volume: Volume, { content, record }: VerifyWish): Reading[] {
  const known = distinctImages(volume).map((image) => ({ image, expected: imageFacts(volume, image)?.sha256 ?? null }));
  const wanted = known.filter(({ expected }) => (expected === null ? record : content));
  const { head, prepared } = volume;
  const ofHead = wanted.find(({ image, expected }) => image === head && expected !== null);
  if (prepared === null || ofHead === undefined || !isPrepared(volume)) return wanted;
  return [...wanted, { ...ofHead, image: prepared }];
}

/** All volumes one after the other, then what keeps images beside them if that was asked for too. */
export async function* verifyAll(
  pool: Pool,
  volumes: readonly Volume[],
  { wish, keepers }: { wish: VerifyWish; keepers: boolean },
): AsyncGenerator<VerificationRecord> {
  const total = volumes.reduce((sum, volume) => sum + bytesOf(volume, wish), 0);
  const meter = pool.call.progress('verify', total);
  let done = 0;
  const read = (bytes: number) => {
    done += bytes;
    meter.update(done);
  };
  try {
    for (const volume of volumes) yield* await verify(pool, volume, { wish, read });
  } finally {
    meter.end();
  }
  if (keepers) yield* await verifyKeepers(pool, volumes);
}

const bytesOf = (volume: Volume, wish: VerifyWish): number =>
  readingsOf(volume, wish).reduce((sum, { image }) => sum + image.size, 0);

/** Checks one volume, reads what is to be read, and notes digests under its lock. */
async function verify(
  pool: Pool,
  volume: Volume,
  { wish, read }: { wish: VerifyWish; read: (bytes: number) => void },
): Promise<VerificationRecord[]> {
  const done: Read[] = [];
  for (const reading of readingsOf(volume, wish))
    done.push({ ...reading, sha256: await sha256Of(pool, reading.image, read) });
  const fresh = done.filter(({ expected }) => expected === null);
  if (fresh.length > 0) await store(pool, volume.name, fresh);
  return verifyVolume(volume).map((verdict) => recordOf(volume, verdict, done));
}

type Read = Reading & { sha256: string };

/** Notes the digests of images that are still what was read. */
const store = (pool: Pool, name: string, fresh: readonly Read[]): Promise<void> =>
  locked(pool, name, async (volume) => {
    const there = distinctImages(volume);
    const alike = ({ image }: Read) => there.some((one) => sameImage(one, image) && one.mtimeNs === image.mtimeNs);
    const images = fresh.filter(alike).reduce((known, { image, sha256 }) => {
      const consistency = imageFacts(volume, image)?.consistency ?? null;
      return withImage({ ...volume, file: { ...volume.file, images: known } }, image, { sha256, consistency });
    }, volume.file.images);
    if (images !== volume.file.images) await put(pool, volume, { images, why: 'the digests of its images' });
  });

/** A copy made ahead is checked with the volume as a whole; every name of an image shares what was read of it. */
function recordOf(volume: Volume, { ref, image, problems }: Verdict, done: readonly Read[]): VerificationRecord {
  const ofIt = (one: Read) => (image === null ? one.image === volume.prepared : sameImage(one.image, image));
  const mine = done.filter(ofIt);
  const wrong = mine.filter(({ expected, sha256 }) => expected !== null && expected !== sha256);
  const all = [
    ...problems,
    ...wrong.map(({ image: { path }, expected, sha256 }) => `${path} has SHA-256 ${sha256}, noted is ${expected}`),
  ];
  const recorded = mine.some(({ expected }) => expected === null);
  return verification(
    { name: volume.name, ref, problems: all },
    mine.length === 0 ? 'structure' : recorded ? 'recorded' : 'content',
  );
}
