import { LayerpullError } from '../../core/errors.ts';
import { type AuthFile, keysOfRegistry, ownHelper, readAuthFile } from './auth-file.ts';
import type { SecretOfUser } from './credentials.ts';
import { type AuthFileChange, changeAuthFile, readOrBegin } from './edit-file.ts';
import { writeEntry } from './entry.ts';
import { createHelper, type Helper, type HelperOptions, type HelperSecret, tokenUser } from './helper.ts';
import { type LoginTarget, serverKey } from './keys.ts';

/** Where credentials are kept from now on. */
export interface Kept {
  readonly file: string;
  /** Name of the helper; undefined where they stand in the file itself. */
  readonly helper: string | undefined;
}

export interface Forgotten {
  readonly file: string;
  /** False where there was nothing to forget. */
  readonly removed: boolean;
}

/** Keeps credentials in one file as docker does, or with the helper that the file names. */
export interface Keeper {
  keep(target: LoginTarget, credential: SecretOfUser, signal: AbortSignal): Promise<Kept>;
  forget(target: LoginTarget, signal: AbortSignal): Promise<Forgotten>;
}

/** @throws LayerpullError `credentials_unusable`, also from its methods */
export function createKeeper(path: string, options: HelperOptions): Keeper {
  const { clock } = options;
  return {
    async keep(target, credential, signal) {
      // A helper may take its time, asking its owner: nobody has to wait for that.
      const helper = helperOf(await readOrBegin(path), target, options);
      if (helper) await helper.program.store(helper.key, secretOf(credential), signal);
      const entry = helper ? {} : writeEntry(credential);
      await changeAuthFile(path, { clock, signal }, (file) => ({
        ...file.document,
        auths: { ...withoutTarget(file, target), [keyOf(target)]: entry },
      }));
      return { file: path, helper: helper?.name };
    },
    async forget(target, signal) {
      const file = await readAuthFile(path);
      if (!file) return { file: path, removed: false };
      const erased = (await helperOf(file, target, options)?.erase(signal)) ?? false;
      const changed =
        forgetting(target)(file) !== undefined &&
        (await changeAuthFile(path, { clock, signal }, forgetting(target)));
      return { file: path, removed: erased || changed };
    },
  };
}

function forgetting(target: LoginTarget): AuthFileChange {
  return (file) => {
    const auths = withoutTarget(file, target);
    return Object.keys(auths).length < Object.keys(file.auths).length
      ? { ...file.document, auths }
      : undefined;
  };
}

function keyOf({ registry, namespace }: LoginTarget): string {
  return namespace === '' ? serverKey(registry) : `${registry}/${namespace}`;
}

/** All entries but that of the target, in whatever way it is written. */
function withoutTarget(file: AuthFile, target: LoginTarget): Record<string, unknown> {
  const own = [keyOf(target), ...(target.namespace === '' ? keysOfRegistry(file, target.registry) : [])];
  return Object.fromEntries(Object.entries(file.auths).filter(([key]) => !own.includes(key)));
}

interface UsedHelper {
  readonly name: string;
  readonly key: string;
  readonly program: Helper;
  erase(signal: AbortSignal): Promise<boolean>;
}

/** @throws LayerpullError for a part of a registry, which helpers do not know */
function helperOf(file: AuthFile, target: LoginTarget, options: HelperOptions): UsedHelper | undefined {
  const use = ownHelper(file, target.registry) ?? { name: file.credsStore, key: serverKey(target.registry) };
  const { name, key } = use;
  if (name === '') return undefined;
  if (target.namespace !== '') {
    throw new LayerpullError('usage', `the credential helper ${name} keeps whole registries only`, {
      hint: `sign in to ${target.registry}, or name a file without helpers with --authfile`,
    });
  }
  const program = createHelper(name, options);
  return { name, key, program, erase: (signal) => program.erase(key, signal) };
}

function secretOf(credential: SecretOfUser): HelperSecret {
  if (credential.kind === 'identity') return { username: tokenUser, secret: credential.token };
  return { username: credential.username, secret: credential.password };
}
