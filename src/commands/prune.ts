import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../command.ts';
import { runPrune } from '../compose/removal.ts';
import { readPruneConfig } from '../config/removal.ts';
import { coordinationFlags } from '../flags/coordination.ts';
import { nodeFlag } from '../flags/node.ts';
import { renderPruned } from '../ui/removal.ts';

export default class Prune extends BaseCommand {
  static override summary = 'Remove blobs that no image needs, and what broken-off work left behind.';

  static override description = 'Safe beside pulls of the same store: what a running pull needs stays.';

  static override examples = ['<%= config.bin %> prune --dry-run', '<%= config.bin %> prune --json'];

  static override flags = {
    ...coordinationFlags,
    ...nodeFlag,
    'dry-run': Flags.boolean({ description: 'Only say what would be removed.' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Prune);
    await this.work(flags, { stopping: 'stopping' }, async ({ machine, output, log, signal }) => {
      const result = await runPrune(readPruneConfig(flags, machine), { log, signal });
      if (output.json) this.printJson(result);
      else this.print(renderPruned(result));
    });
  }
}
