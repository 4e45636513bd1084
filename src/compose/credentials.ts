import type { AccessConfig } from '../config/access.ts';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { Credentials } from '../registry/credentials/credentials.ts';

/** Wires where credentials come from. Loaded once a registry asks for them: most pulls of public images end before. */
export function composeCredentials(config: AccessConfig, log: Log, registry: string): Credentials {
  let opened: Promise<Credentials> | undefined;
  return {
    async find(host, repository, signal) {
      opened ??= open(config, log, registry);
      return await (await opened).find(host, repository, signal);
    },
  };
}

/** What is given on the command line is for the registry of the image alone, and then counts more than any file. */
async function open({ files, given, env }: AccessConfig, log: Log, registry: string): Promise<Credentials> {
  const { createFileCredentials, createGivenCredentials } = await import('../registry/credentials/files.ts');
  const kept = createFileCredentials({ files, env, clock: systemClock, log });
  if (!given) return kept;
  const own = createGivenCredentials(given, registry);
  return {
    find: async (host, repository, signal) =>
      (await own.find(host, repository, signal)) ?? (await kept.find(host, repository, signal)),
  };
}
