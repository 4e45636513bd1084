import * as Args from '@oclif/core/args';
import { BaseCommand, type CommandContext } from '../command.ts';
import { composeStatus, type ResourceView } from '../compose/status.ts';
import { readStatusConfig, type StatusConfig } from '../config.ts';
import { coordinationFlags } from '../flags/coordination.ts';
import { renderStatus, statusDocument } from '../ui/status.ts';
import { parsePrefix, selectResources } from '../ui/status-select.ts';

export default class Status extends BaseCommand {
  static override summary = 'Show who holds a layer, who waits for it, and where copies are.';

  static override examples = [
    '<%= config.bin %> status',
    '<%= config.bin %> status sha256:4f2a --server lock.example:8080',
    '<%= config.bin %> status --json',
  ];

  static override args = {
    digest: Args.string({ ignoreStdin: true, description: 'A digest, or the beginning of one.' }),
  };

  static override flags = { ...coordinationFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Status);
    await this.work(flags, { stopping: 'stopping' }, async ({ machine, output, log, clock, signal }) => {
      const prefix = parsePrefix(args.digest);
      const config = readStatusConfig(flags, machine);
      const resources = await list(config, prefix, { log, signal });
      if (output.json) this.printJson(statusDocument(resources, clock.wallNow()));
      else this.print(await renderStatus(resources, { detail: prefix !== undefined, config }));
    });
  }
}

/** Undefined when nobody coordinates. */
async function list(
  config: StatusConfig,
  prefix: string | undefined,
  { log, signal }: Pick<CommandContext, 'log' | 'signal'>,
): Promise<readonly ResourceView[] | undefined> {
  const { locks, close } = await composeStatus(config, log);
  try {
    if (!locks) return undefined;
    return selectResources(await locks.list(prefix === undefined ? {} : { prefix }, signal), prefix);
  } finally {
    await close();
  }
}
