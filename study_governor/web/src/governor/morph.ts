// Lays one tree over another with as few changes as possible. Elements are matched by id, else by their place.

type Changed = (element: HTMLElement) => void;

/** Attributes that belong to the reader, not to the page. */
const KEPT: Record<string, readonly string[]> = { DETAILS: ["open"], TIME: ["title"] };

function isSame(old: Node, fresh: Node): boolean {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return false;
  return !(old instanceof Element) || old.id === (fresh as Element).id;
}

function layAttributes(old: Element, fresh: Element): void {
  const kept = KEPT[old.nodeName] ?? [];
  for (const name of old.getAttributeNames()) {
    if (!fresh.hasAttribute(name) && !kept.includes(name)) old.removeAttribute(name);
  }
  for (const name of fresh.getAttributeNames()) {
    const value = fresh.getAttribute(name) ?? "";
    if (old.getAttribute(name) !== value && !kept.includes(name)) old.setAttribute(name, value);
  }
}

/** A moment keeps the words that were put in for the reader's zone; the script for times looks again by itself. */
function isUnchangedTime(old: Element, fresh: Element): boolean {
  return old instanceof HTMLTimeElement && fresh instanceof HTMLTimeElement && old.dateTime === fresh.dateTime;
}

/** What another service shows here keeps itself true. */
function isGuest(element: Element): boolean {
  return element instanceof HTMLElement && "guest" in element.dataset;
}

/** What somebody is filling in stays until it is sent. */
function isInUse(element: Element): boolean {
  return element instanceof HTMLFormElement && element.contains(document.activeElement);
}

function layOne(old: Node, fresh: Node, changed: Changed): void {
  if (!(old instanceof Element) || !(fresh instanceof Element)) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.isEqualNode(fresh) || isUnchangedTime(old, fresh) || isInUse(old) || isGuest(old)) return;
  const isCount = old instanceof HTMLElement && "count" in old.dataset;
  const isOther = isCount && old.textContent?.trim() !== fresh.textContent?.trim();
  layAttributes(old, fresh);
  morph(old, fresh, changed);
  if (isOther) changed(old as HTMLElement);
}

/** Make the children of `old` equal to those of `fresh`. */
export function morph(old: Element, fresh: Element, changed: Changed): void {
  const known = new Map<string, Element>();
  for (const child of old.children) if (child.id) known.set(child.id, child);
  let place: ChildNode | null = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const wanted = child instanceof Element && child.id ? known.get(child.id) : undefined;
    if (wanted && wanted !== place && wanted.nodeName === child.nodeName) {
      old.insertBefore(wanted, place);
      layOne(wanted, child, changed);
    } else if (place && isSame(place, child)) {
      const next: ChildNode | null = place.nextSibling;
      layOne(place, child, changed);
      place = next;
    } else {
      old.insertBefore(child, place);
    }
  }
  while (place) {
    const next: ChildNode | null = place.nextSibling;
    place.remove();
    place = next;
  }
}
