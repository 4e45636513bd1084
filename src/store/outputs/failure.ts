import { isLayerpullError, LayerpullError, messageOf, systemCodeOf } from '../../core/errors.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'a part of the path is not a folder',
  EFBIG: 'the file system takes no file of that size',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'the links in its path lead nowhere',
};

const full: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** What went wrong at the place of `--output`, as an error of ours. */
export function outputFailure(target: string, cause: unknown): LayerpullError {
  if (isLayerpullError(cause)) return cause;
  const code = systemCodeOf(cause) ?? '';
  return refusal(
    `cannot write ${target}: ${reasons[code] ?? messageOf(cause)}`,
    full.has(code)
      ? 'free space, or choose another place with --output'
      : 'choose another place with --output',
    cause,
  );
}

export function refusal(message: string, hint: string, cause?: unknown): LayerpullError {
  return new LayerpullError('output_failed', message, {
    hint,
    origin: 'user',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Runs `work`; what the system throws in it becomes one of our errors. */
export async function writing<T>(target: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw outputFailure(target, error);
  }
}
