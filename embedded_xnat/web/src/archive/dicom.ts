// Which DICOM study a file belongs to, read from its first bytes. No parser: it looks for the one element.

const HEAD_BYTES = 96 * 1024;
const AT_ONCE = 16;
const PREAMBLE = 128;

/** Study Instance UID (0020,000D); empty for DICOM that does not show it, null for what is no DICOM. */
export async function studyOf(file: Blob): Promise<string | null> {
  const bytes = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  const isDicom = String.fromCharCode(...bytes.subarray(PREAMBLE, PREAMBLE + 4)) === "DICM";
  for (let at = isDicom ? PREAMBLE + 4 : 0; at + 8 < bytes.length; at += 2) {
    const isLittle = bytes[at] === 0x20 && bytes[at + 1] === 0 && bytes[at + 2] === 0x0d && bytes[at + 3] === 0;
    const isBig = bytes[at] === 0 && bytes[at + 1] === 0x20 && bytes[at + 2] === 0 && bytes[at + 3] === 0x0d;
    if (!isLittle && !isBig) continue;
    const uid = uidAt(bytes, at + 4, isLittle);
    if (uid !== null) return uid;
  }
  return isDicom ? "" : null;
}

function uidAt(bytes: Uint8Array, at: number, isLittle: boolean): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isExplicit = bytes[at] === 0x55 && bytes[at + 1] === 0x49; // "UI"
  const length = isExplicit ? view.getUint16(at + 2, isLittle) : view.getUint32(at, isLittle);
  if (length === 0 || length > 64) return null;
  const text = String.fromCharCode(...bytes.subarray(at + 4, at + 4 + length)).replace(/[\0 ]+$/, "");
  return /^[0-9.]+$/.test(text) ? text : null;
}

export interface Looking {
  /** Hears how many files were looked at. */
  readonly onCount: (count: number) => void;
  readonly signal: AbortSignal;
}

/** Sort files by their DICOM study, some at once; `left` are no DICOM. Ends early, with what it has, when it is stopped. */
export async function byStudy<T extends { readonly file: Blob }>(
  files: readonly T[],
  { onCount, signal }: Looking,
): Promise<{ studies: T[][]; left: number }> {
  const studies = new Map<string, T[]>();
  let left = 0;
  for (let start = 0; start < files.length && !signal.aborted; start += AT_ONCE) {
    onCount(start);
    const some = files.slice(start, start + AT_ONCE);
    const found = await Promise.all(some.map((one) => studyOf(one.file)));
    some.forEach((one, place) => {
      const uid = found[place];
      if (uid === null || uid === undefined) left += 1;
      else if (!studies.get(uid)?.push(one)) studies.set(uid, [one]);
    });
  }
  return { studies: [...studies.values()], left };
}
