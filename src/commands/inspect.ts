import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../command.ts';
import { inspect } from '../compose/look.ts';
import { readWantedPlatform } from '../config/removal.ts';
import { readStoreConfig } from '../config.ts';
import { storeFlag } from '../flags/coordination.ts';
import { inspectDocument, renderDetails } from '../ui/inspect.ts';

export default class Inspect extends BaseCommand {
  static override summary = 'Show what an image in the store consists of.';

  static override description =
    'Takes a name, NAME@DIGEST, or a digest or its beginning. Only looks: no lock is taken and no registry is asked.';

  static override examples = [
    '<%= config.bin %> inspect busybox',
    '<%= config.bin %> inspect busybox --platform linux/arm64',
    '<%= config.bin %> inspect 4f2a9c --json',
  ];

  static override args = {
    image: Args.string({ required: true, ignoreStdin: true, description: 'An image of the store.' }),
  };

  static override flags = {
    ...storeFlag,
    platform: Flags.string({
      description: 'Of several platforms this one. Default: the one pulled last.',
      helpValue: 'OS/ARCH[/VARIANT]',
    }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Inspect);
    await this.work(flags, { stopping: 'stopping' }, async ({ machine, output, log }) => {
      const config = readStoreConfig(flags, machine);
      const details = await inspect(args.image, config, readWantedPlatform(flags), log);
      if (output.json) this.printJson(inspectDocument(config.store, details));
      else this.print(await renderDetails(details));
    });
  }
}
