/** An image to pull, and what is aimed at beside skopeo in the same run. */
export interface Scenario {
  readonly name: string;
  /** Bytes of each layer. */
  readonly layers: readonly number[];
  /** Of skopeo's wall time, at most. */
  readonly wallAim?: number;
  readonly peakAimBytes?: number;
}

const mebibyte = 1_048_576;

export function layersOf(count: number, totalBytes: number): number[] {
  return Array(count).fill(Math.floor(totalBytes / count));
}

/** `big`: bandwidth; `small`: what each layer costs; `present`: an image that is there. */
export const scenarios = {
  big: {
    name: '2 GiB in 8 layers',
    layers: layersOf(8, 2_048 * mebibyte),
    wallAim: 0.8,
    peakAimBytes: 200 * mebibyte,
  },
  small: {
    name: '60 layers of 1 MiB',
    layers: layersOf(60, 60 * mebibyte),
    wallAim: 0.9,
    peakAimBytes: 200 * mebibyte,
  },
} as const satisfies Record<string, Scenario>;

export const presentAimMs = 500;
