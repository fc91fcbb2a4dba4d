/**
 * Fetching of image files: with progress, unpacked on the way, refused before they fill the memory.
 */

import { NVImage } from "@niivue/niivue";

export interface Progress {
  readonly received: number;
  /** Bytes to come in all, or null when the server does not say. */
  readonly total: number | null;
}

export interface Fetched {
  readonly buffer: ArrayBuffer;
  /** Pictures of a DICOM series that do not fit into the volume. */
  readonly leftOut: number;
}

/** A volume beyond this many unpacked bytes would take the browser's tab down with it. */
const MAX_BYTES = 1.5 * 2 ** 30;

/** NIfTI data types whose last voxel NiiVue 0.69 leaves at zero when it widens them: int32, uint32, int64. */
const WIDENED: Readonly<Record<number, number>> = { 8: 4, 768: 4, 1024: 8 };

/** An image file could not be shown; the message is a sentence for the reader. */
export class VolumeError extends Error {}

/** Fetch a NIfTI file, gunzipped if need be, and report every piece that arrives. */
export async function fetchNifti(
  url: string,
  onProgress: (progress: Progress) => void,
  signal?: AbortSignal,
): Promise<Fetched> {
  const response = await fetch(url, { credentials: "same-origin", signal: signal ?? null });
  if (!response.ok || response.body === null) {
    throw new VolumeError(`The archive did not give the image (answer ${response.status}).`);
  }
  const length = Number(response.headers.get("content-length"));
  const total = Number.isFinite(length) && length > 0 ? length : null;
  const [stream, isGzip] = await countedAndPeeked(response.body, total, onProgress);
  const plain = isGzip ? stream.pipeThrough(new DecompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>) : stream;
  return { buffer: await collect(plain), leftOut: Number(response.headers.get("x-slices-left-out")) || 0 };
}

/** Build NiiVue's volume from the bytes of a NIfTI file, with every voxel as it is in the file. */
export async function volumeFrom(buffer: ArrayBuffer, name: string): Promise<NVImage> {
  if (buffer.byteLength < 348) throw new VolumeError("The image file is cut short.");
  const image = await NVImage.loadFromUrl({ url: buffer, name: `${name}.nii`, trustCalMinMax: false });
  repairLastVoxel(image, buffer);
  return image;
}

async function countedAndPeeked(
  body: ReadableStream<Uint8Array>,
  total: number | null,
  onProgress: (progress: Progress) => void,
): Promise<[ReadableStream<Uint8Array>, boolean]> {
  const reader = body.getReader();
  let received = 0;
  const next = async (): Promise<Uint8Array | undefined> => {
    const { done, value } = await reader.read();
    if (done) return undefined;
    received += value.byteLength;
    onProgress({ received, total });
    return value;
  };
  const first = await next();
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      if (first) controller.enqueue(first);
      else controller.close();
    },
    async pull(controller) {
      const chunk = await next();
      if (chunk) controller.enqueue(chunk);
      else controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return [stream, first?.[0] === 0x1f && first[1] === 0x8b];
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<ArrayBuffer> {
  const reader = stream.getReader();
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > MAX_BYTES) {
      await reader.cancel();
      throw new VolumeError("The image is larger than a browser can hold; open it in a desktop program.");
    }
    pieces.push(value);
  }
  const whole = new Uint8Array(size);
  let offset = 0;
  while (pieces.length > 0) {
    const piece = pieces.shift() as Uint8Array;
    whole.set(piece, offset);
    offset += piece.byteLength;
  }
  return whole.buffer;
}

function repairLastVoxel(image: NVImage, buffer: ArrayBuffer): void {
  const view = new DataView(buffer);
  const isLittle = view.getInt32(0, true) === 348 || view.getInt32(0, true) === 540;
  const isVersion2 = view.getInt32(0, isLittle) === 540;
  const type = isVersion2 ? view.getInt16(12, isLittle) : view.getInt16(70, isLittle);
  const width = WIDENED[type];
  const voxels = image.img;
  if (width === undefined || !voxels || voxels.length === 0) return;
  const start = isVersion2 ? Number(view.getBigInt64(168, isLittle)) : view.getFloat32(108, isLittle);
  const at = start + (voxels.length - 1) * width;
  if (at + width > buffer.byteLength) return;
  if (type === 8) voxels[voxels.length - 1] = view.getInt32(at, isLittle);
  else if (type === 768) voxels[voxels.length - 1] = view.getUint32(at, isLittle);
  else voxels[voxels.length - 1] = Number(view.getBigInt64(at, isLittle));
}
