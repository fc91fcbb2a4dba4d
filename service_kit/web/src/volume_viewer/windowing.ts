/**
 * Window and level: which grey values are shown between black and white. Pure; imports nothing.
 */

export interface GreyRange {
  readonly low: number;
  readonly high: number;
}

export interface WindowPreset extends GreyRange {
  readonly name: string;
}

/** What is known of a volume's values: those between which NiiVue shows it at first, and all of them. */
export interface ValueRange {
  readonly robust: GreyRange;
  readonly full: GreyRange;
}

const CT_PRESETS: readonly WindowPreset[] = [
  { name: "Brain (CT)", low: 0, high: 80 },
  { name: "Soft tissue (CT)", low: -160, high: 240 },
  { name: "Lung (CT)", low: -1350, high: 150 },
  { name: "Bone (CT)", low: -500, high: 1300 },
];

/** Lowest value of a volume in Hounsfield units: air outside the body is near -1000. */
const HOUNSFIELD_AIR = -500;

/** Offer the windows that suit a volume; the first one is where a reader starts. */
export function presetsFor(values: ValueRange): WindowPreset[] {
  const { robust, full } = values;
  const width = robust.high - robust.low;
  const presets: WindowPreset[] = [
    { name: "Automatic", ...robust },
    { name: "Full range", ...full },
    { name: "Bright tissue", low: robust.low + 0.3 * width, high: robust.high + 0.1 * width },
    { name: "Dark tissue", low: robust.low, high: robust.low + 0.5 * width },
  ];
  return full.low <= HOUNSFIELD_AIR ? [...presets, ...CT_PRESETS] : presets;
}

/** Width and centre of a grey range, as radiologists name it. */
export function windowLevel(range: GreyRange): { window: number; level: number } {
  return { window: range.high - range.low, level: (range.high + range.low) / 2 };
}

/** Grey range of a window of given width and centre; the width stays above zero. */
export function greyRange(window: number, level: number): GreyRange {
  const width = Math.max(window, 1e-6);
  return { low: level - width / 2, high: level + width / 2 };
}

/** Digits that tell values of this range apart, for a readout whose width does not jump. */
export function decimals(range: GreyRange): number {
  const width = Math.abs(range.high - range.low);
  if (!Number.isFinite(width) || width === 0) return 0;
  return Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(width))));
}
