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

/** Files of a drop, through all folders. */
export async function dropped(transfer: DataTransfer): Promise<Chosen[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const found: Chosen[] = [];
  for (const entry of entries) await walk(entry, "", found);
  return found.filter(isWanted);
}

function isWanted({ path }: Chosen): boolean {
  return !IGNORED.test(path);
}

async function walk(entry: FileSystemEntry, folder: string, found: Chosen[]): Promise<void> {
  const path = folder ? `${folder}/${entry.name}` : entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ path, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // a reader gives a hundred entries at a time
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const one of some) await walk(one, path, found);
  }
}
