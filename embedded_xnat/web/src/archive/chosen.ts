// Files that a person drops or picks, folders with all that is in them.

export interface Chosen {
  readonly path: string;
  readonly file: File;
}

const IGNORED = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX(\/|$))/;

/** Files of an input; a folder's keep their paths in it. */
export function picked(list: FileList): Chosen[] {
  return [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file })).filter(isWanted);
}

/** Files of a drop, through all folders; `onCount` hears how many there are so far. */
export async function dropped(transfer: DataTransfer, onCount: (count: number) => void): Promise<Chosen[]> {
  const found: Chosen[] = [];
  const entries: FileSystemEntry[] = [];
  for (const item of transfer.items) {
    const entry = item.webkitGetAsEntry(); // to be asked before the first pause: a drop is over then
    const file = entry === null ? item.getAsFile() : null;
    if (entry !== null) entries.push(entry);
    else if (file !== null) found.push({ path: file.name, file });
  }
  for (const entry of entries) await walk(entry, "", found, onCount);
  return found.filter(isWanted);
}

function isWanted({ path }: Chosen): boolean {
  return !IGNORED.test(path);
}

async function walk(entry: FileSystemEntry, folder: string, found: Chosen[], onCount: (count: number) => void): Promise<void> {
  const path = folder ? `${folder}/${entry.name}` : entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ path, file });
    onCount(found.length);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // a reader gives a hundred entries at a time
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const one of some) await walk(one, path, found, onCount);
  }
}
