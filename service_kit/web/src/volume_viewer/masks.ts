/** Colours of a mask's values. Pure. */

/** A mask's colours where the template names none: transparent at 0, one clear hue elsewhere. */
const DEFAULT_COLOUR: readonly [number, number, number] = [0, 211, 238];

const MOST_VALUES = 4096;

/** What one value of a mask means, as the template says. */
export interface MaskLabel {
  readonly value: number;
  readonly name: string;
  readonly colour: readonly [number, number, number];
  readonly opacity: number | null;
}

export interface ColourMap {
  R: number[];
  G: number[];
  B: number[];
  A: number[];
  I: number[];
  labels: string[];
}

/** Colour each value as the template says, every other one above 0 in the default hue. */
export function maskColours(labels: readonly MaskLabel[], largest: number): ColourMap {
  const highest = Math.max(1, Math.min(MOST_VALUES, Math.ceil(largest)));
  const map: ColourMap = { R: [0], G: [0], B: [0], A: [0], I: [0], labels: [""] };
  for (let value = 1; value <= highest; value += 1) {
    const label = labels.find((one) => one.value === value);
    const [red, green, blue] = label?.colour ?? DEFAULT_COLOUR;
    map.R.push(red);
    map.G.push(green);
    map.B.push(blue);
    map.A.push(255);
    map.I.push(value);
    map.labels.push(label?.name ?? String(value));
  }
  return map;
}
