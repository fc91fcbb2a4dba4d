/**
 * The form beside the images: reads and writes the answer, follows the template's conditions. Knows no server.
 */

import { holds, type Tree, valueOf } from "./expressions";

export interface FieldData {
  readonly name: string;
  readonly path: readonly string[];
  readonly control: string;
  readonly type: string;
  readonly initial: unknown;
  readonly enabled: boolean;
  readonly visible: boolean;
  readonly dependsOn: Tree | null;
  readonly visibleOn: Tree | null;
  readonly formula: Tree | null;
  readonly variables: Readonly<Record<string, string>>;
  readonly alertOnChecked: boolean;
  readonly alertOnUnchecked: boolean;
  readonly isDesktopOnly: boolean;
}

export type Answer = Record<string, unknown>;

const CONTAINERS = new Set(["TabsWidget", "BoxWidget"]);
const SILENT = new Set(["JSONDisplay", "ValidationControl", "MarkerView"]);

type Input = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

export class AnswerForm {
  private readonly values: Record<string, unknown> = {};
  private readonly listeners: (() => void)[] = [];
  private isEnabled = false;

  constructor(
    readonly element: HTMLFormElement,
    private readonly fields: readonly FieldData[],
    given: Answer | null,
  ) {
    for (const field of fields) this.values[field.name] = valueAt(given, field.path) ?? field.initial;
    this.write();
    element.addEventListener("input", (event) => this.onInput(event.target as Input));
    element.addEventListener("click", (event) => giveArrowsBack(event));
    this.follow();
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Let people answer, or only read. */
  setEnabled(isEnabled: boolean): void {
    this.isEnabled = isEnabled;
    this.element.classList.toggle("is-read-only", !isEnabled);
    this.follow();
  }

  /** Choose the n-th option (from 1) of the first group of options; true when there is one. */
  chooseOption(position: number): boolean {
    const group = this.fields.find((field) => field.control === "RadioButtonGroup" && this.isShown(field));
    const option = group && this.inputs(group.name)[position - 1];
    if (!option || option.disabled || !(option instanceof HTMLInputElement)) return false;
    option.checked = true;
    if (document.activeElement instanceof HTMLInputElement) document.activeElement.blur();
    option.dispatchEvent(new Event("input", { bubbles: true }));
    return true;
  }

  /** Give the focus to the first field of a kind of control. */
  focus(control: string): void {
    const field = this.fields.find((one) => one.control === control && this.isShown(one));
    if (field) this.inputs(field.name)[0]?.focus();
  }

  /** Labels of the conditions that do not hold yet. */
  unfulfilled(): string[] {
    return this.fields
      .filter((field) => field.control === "ValidationControl" && this.isShown(field) && !this.passes(field))
      .map((field) => this.wrapper(field.name)?.dataset["label"] ?? field.name);
  }

  /** Mark the choices that are still to be made. */
  markMissing(isMarked: boolean): void {
    for (const field of this.fields) {
      if (field.control !== "RadioButtonGroup") continue;
      const isMissing = isMarked && (this.values[field.name] ?? null) === null;
      this.wrapper(field.name)?.classList.toggle("is-missing", isMissing);
    }
  }

  /** The answer in its nested shape. */
  answer(): Answer {
    const whole: Answer = {};
    for (const field of this.fields) {
      if (SILENT.has(field.control) || field.isDesktopOnly) continue;
      const place = field.path.slice(0, -1).reduce((object, key) => (object[key] ??= {}) as Answer, whole);
      if (CONTAINERS.has(field.control)) place[field.name] ??= {};
      else place[field.name] = this.isShown(field) ? (this.values[field.name] ?? null) : null;
    }
    return whole;
  }

  private onInput(input: Input): void {
    const field = this.fields.find((one) => one.name === input.dataset["field"]);
    if (!field) return;
    this.values[field.name] = readInput(input);
    this.markMissing(false);
    if (field.control === "CheckBox") this.alert(field);
    this.follow();
    for (const listener of this.listeners) listener();
  }

  private alert(field: FieldData): void {
    const isChecked = this.values[field.name] === true;
    const wrapper = this.wrapper(field.name);
    wrapper?.classList.toggle("is-alert", isChecked ? field.alertOnChecked : field.alertOnUnchecked);
  }

  private write(): void {
    for (const field of this.fields) {
      for (const input of this.inputs(field.name)) writeInput(input, this.values[field.name]);
    }
  }

  /** Show, hide, lock and compute whatever depends on other fields. */
  private follow(): void {
    for (const field of this.fields) {
      if (field.control === "CalculatedScore" && field.formula) {
        this.values[field.name] = valueOf(field.formula, this.variables(field));
        const output = this.wrapper(field.name)?.querySelector("output");
        if (output) output.textContent = String(this.values[field.name] ?? "–");
      }
      const isOpen = this.isEnabled && field.enabled && holds(field.dependsOn, this.values);
      for (const input of this.inputs(field.name)) input.disabled = !isOpen;
      const wrapper = this.wrapper(field.name);
      if (!wrapper) continue;
      wrapper.hidden = !this.isShown(field);
      if (field.control === "ValidationControl") wrapper.classList.toggle("is-passed", this.passes(field));
    }
  }

  private isShown(field: FieldData): boolean {
    return field.visible && holds(field.visibleOn, this.values);
  }

  private passes(field: FieldData): boolean {
    return holds(field.formula, this.variables(field));
  }

  private variables(field: FieldData): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(field.variables).map(([name, source]) => [name, this.values[source] ?? null]),
    );
  }

  private inputs(name: string): Input[] {
    return [...this.element.querySelectorAll<Input>(`[data-field="${CSS.escape(name)}"]`)];
  }

  private wrapper(name: string): HTMLElement | null {
    return this.element.querySelector<HTMLElement>(`[data-wrapper="${CSS.escape(name)}"]`);
  }
}

/**
 * After a click with the mouse the arrow keys scroll through slices again; a focused radio button would take them and
 * change the answer unseen. Whoever came by the Tab key keeps the focus.
 */
function giveArrowsBack(event: MouseEvent): void {
  const target = event.target;
  const isByMouse = event.detail > 0 || event.clientX > 0;
  if (target instanceof HTMLInputElement && target.type === "radio" && isByMouse) target.blur();
}

function valueAt(answer: Answer | null, path: readonly string[]): unknown {
  let value: unknown = answer;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Answer)[key];
  }
  return value;
}

function optionValue(input: HTMLElement): unknown {
  return JSON.parse(input.dataset["value"] ?? "null");
}

function readInput(input: Input): unknown {
  if (input instanceof HTMLSelectElement) {
    const option = input.selectedOptions[0];
    return option ? optionValue(option) : null;
  }
  if (input instanceof HTMLInputElement) {
    if (input.type === "radio") return optionValue(input);
    if (input.type === "checkbox") return input.checked;
    if (input.type === "number") return input.value === "" ? null : input.valueAsNumber;
  }
  return input.value;
}

function writeInput(input: Input, value: unknown): void {
  if (input instanceof HTMLSelectElement) {
    for (const option of input.options) option.selected = optionValue(option) === (value ?? null);
  } else if (input instanceof HTMLInputElement && input.type === "radio") {
    input.checked = value !== null && value !== undefined && optionValue(input) === value;
  } else if (input instanceof HTMLInputElement && input.type === "checkbox") {
    input.checked = value === true;
  } else {
    input.value = value === null || value === undefined ? "" : String(value);
  }
}
