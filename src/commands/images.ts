import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../command.ts';
import { imagesOf } from '../compose/look.ts';
import { readImagesConfig } from '../config/look.ts';
import { storeFlag } from '../flags/coordination.ts';
import { imageNames, imagesDocument, renderImages } from '../ui/images.ts';

export default class Images extends BaseCommand {
  static override summary = 'List the images in the store.';

  static override description =
    'Only looks: no store is made and no lock is taken. With -q the names alone, for other commands.';

  static override examples = [
    '<%= config.bin %> images',
    '<%= config.bin %> images --digests',
    '<%= config.bin %> rm $(<%= config.bin %> images -q)',
    '<%= config.bin %> images --json',
  ];

  static override flags = {
    ...storeFlag,
    digests: Flags.boolean({ description: 'Show digests whole.' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Images);
    await this.work(flags, { stopping: 'stopping' }, async ({ machine, output, log, clock }) => {
      const config = readImagesConfig(flags, machine);
      const images = await imagesOf(config, log);
      if (output.json) this.printJson(imagesDocument(config.store, images));
      else if (output.quiet) for (const name of imageNames(images)) this.print(name);
      else this.print(await renderImages(images, { digests: config.digests, wallMs: clock.wallNow() }));
    });
  }
}
