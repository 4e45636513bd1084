import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../command.ts';
import { runVerify } from '../compose/verify.ts';
import { readVerifyConfig } from '../config/verify.ts';
import { exitCodes } from '../core/errors.ts';
import { coordinationFlags } from '../flags/coordination.ts';
import { nodeFlag } from '../flags/node.ts';
import { createReadProgress } from '../ui/read-progress.ts';
import { renderVerified, verifiedDocument } from '../ui/verified.ts';

export default class Verify extends BaseCommand {
  static override summary = 'Read everything in the store and say what is wrong with it.';

  static override description =
    'Checks each blob against its digest and each image for what it needs. Ends with exit code 6 if something is wrong.';

  static override examples = [
    '<%= config.bin %> verify',
    '<%= config.bin %> verify busybox --json',
    '<%= config.bin %> verify --repair && <%= config.bin %> pull busybox',
  ];

  static override args = {
    image: Args.string({ ignoreStdin: true, description: 'Only this image of the store.' }),
  };

  static override flags = {
    ...coordinationFlags,
    ...nodeFlag,
    repair: Flags.boolean({
      description:
        'Remove wrong blobs, set damaged records aside, derive index.json. A pull brings back the rest.',
    }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Verify);
    await this.work(flags, { stopping: 'stopping' }, async ({ machine, output, log, signal, clock }) => {
      const config = readVerifyConfig(flags, machine);
      const progress = createReadProgress({
        stream: process.stderr,
        clock,
        enabled: output.interactive && !output.quiet,
      });
      const result = await runVerify(args.image, config, { log, signal, onProgress: progress.tell }).finally(
        progress.close,
      );
      if (output.json) this.printJson(verifiedDocument(config.store, result));
      else this.print(renderVerified(result));
      if (result.problems.length > 0) this.exit(exitCodes.wrongContent);
    });
  }
}
