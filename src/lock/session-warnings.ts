import { LayerpullError } from '../core/errors.ts';
import type { HolderRateOptions } from './holder-rate.ts';
import type { HolderView, LayerAcquire } from './locks.ts';

/** Says why a holder is left. `rate` in bytes per second. */
export function slowHolder(
  { resourceId }: LayerAcquire,
  holder: HolderView | undefined,
  rate: number,
  { minRateBytesPerSecond, minRateWindowMs }: HolderRateOptions,
): LayerpullError {
  const seconds = Math.round(minRateWindowMs / 1_000);
  const [is, least] = [Math.floor(rate / 1_024), Math.ceil(minRateBytesPerSecond / 1_024)];
  const who = holder?.nodeId ?? 'its holder';
  return new LayerpullError(
    'holder_slow',
    `${who} brings ${resourceId} at ${is} KiB/s, less than ${least} KiB/s over ${seconds} s`,
    { hint: 'see what slows that node down, or set another --min-rate' },
  );
}
