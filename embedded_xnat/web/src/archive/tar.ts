// Packs files into a tar without reading them: the browser streams each from the disk while it is sent.
// POSIX.1-2001 (pax): names that are long or not ASCII, and sizes from 8 GiB on, stand in an extended header.

export interface Packed {
  readonly path: string;
  readonly file: Blob;
}

const BLOCK = 512;
const LARGEST_OCTAL = 8 ** 11 - 1;
const LONGEST_NAME = 100;
const encoder = new TextEncoder();

/** Return a tar of files. */
export function tarOf(files: readonly Packed[]): Blob {
  const parts: BlobPart[] = [];
  files.forEach(({ path, file }, number) => {
    const extended = extendedHeader(path, file.size);
    if (extended !== null) parts.push(header(`pax/${number}`, extended.byteLength, "x"), extended, padding(extended.byteLength));
    const name = isPlain(path) ? path : `file/${number}`;
    parts.push(header(name, file.size > LARGEST_OCTAL ? 0 : file.size, "0"), file, padding(file.size));
  });
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts, { type: "application/x-tar" });
}

function isPlain(path: string): boolean {
  return path.length <= LONGEST_NAME && /^[\x20-\x7e]+$/.test(path);
}

function extendedHeader(path: string, size: number): Uint8Array<ArrayBuffer> | null {
  const records = [...(isPlain(path) ? [] : [record("path", path)]), ...(size > LARGEST_OCTAL ? [record("size", String(size))] : [])];
  return records.length > 0 ? (encoder.encode(records.join("")) as Uint8Array<ArrayBuffer>) : null;
}

/** A record begins with its own length in bytes. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const size = encoder.encode(rest).byteLength;
  let length = size + String(size).length;
  if (String(length).length > String(size).length) length += 1;
  return `${length}${rest}`;
}

function header(name: string, size: number, kind: string): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string): void => block.set(encoder.encode(text), at);
  put(0, name);
  put(100, "0000644\0");
  put(108, "0000000\0");
  put(116, "0000000\0");
  put(124, `${size.toString(8).padStart(11, "0")}\0`);
  put(136, "00000000000\0");
  put(148, "        ");
  put(156, kind);
  put(257, "ustar\x0000");
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

function padding(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}
