/**
 * Keys of a page with the viewer. The help lists exactly these, for it is drawn from the same table. Knows no page element.
 */

export interface Command {
  /** Keys as `KeyboardEvent.key` names them; `ctrl+` may precede. Letters work in both cases. */
  readonly keys: readonly string[];
  readonly help: string;
  /** Keys as the help shows them, when they differ. */
  readonly shown?: readonly string[];
  readonly run: (event: KeyboardEvent) => void;
  /** Whether the key also works while one types. */
  readonly whileTyping?: boolean;
}

export interface CommandGroup {
  readonly title: string;
  readonly commands: readonly Command[];
}

const TEXT_TYPES = new Set(["text", "number", "search", "email", "url"]);
const OWN_KEYS = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", " ", "PageUp", "PageDown", "Home", "End"]);

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return TEXT_TYPES.has(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Radio buttons, sliders and buttons need the arrows and the space bar themselves. */
function isTakenByControl(event: KeyboardEvent): boolean {
  const target = event.target;
  return target instanceof HTMLInputElement && OWN_KEYS.has(event.key);
}

function nameOf(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shift = event.shiftKey && /^[a-z]$/.test(key) ? "shift+" : "";
  return (event.ctrlKey || event.metaKey ? "ctrl+" : "") + shift + key;
}

/** Listen for the keys of all groups. NiiVue's own keys never see a key press. */
export function listen(groups: readonly CommandGroup[], canvas: HTMLElement): void {
  const table = new Map<string, Command>();
  for (const group of groups) {
    for (const command of group.commands) {
      for (const key of command.keys) table.set(key, command);
    }
  }
  window.addEventListener(
    "keydown",
    (event) => {
      if (event.target === canvas) event.stopPropagation();
      if (event.altKey || document.querySelector("dialog[open]")) return;
      const command = table.get(nameOf(event));
      if (!command || (isTyping(event.target) && !command.whileTyping) || isTakenByControl(event)) return;
      event.preventDefault();
      command.run(event);
    },
    { capture: true },
  );
  canvas.addEventListener("keyup", (event) => event.stopImmediatePropagation(), { capture: true });
}

/** Draw the help: one line for each command. */
export function drawHelp(groups: readonly CommandGroup[], place: HTMLElement): void {
  place.replaceChildren(
    ...groups.map((group) => {
      const section = document.createElement("section");
      const title = document.createElement("h3");
      title.textContent = group.title;
      const list = document.createElement("dl");
      for (const command of group.commands) {
        const keys = document.createElement("dt");
        (command.shown ?? command.keys).forEach((key, index) => {
          if (index > 0) keys.append(" ");
          const cap = document.createElement("kbd");
          cap.textContent = key.length === 1 ? key.toUpperCase() : key;
          keys.append(cap);
        });
        const text = document.createElement("dd");
        text.textContent = command.help;
        list.append(keys, text);
      }
      section.append(title, list);
      return section;
    }),
  );
}
