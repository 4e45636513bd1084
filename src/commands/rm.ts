import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../command.ts';
import { runRemove } from '../compose/removal.ts';
import { readRmConfig } from '../config/removal.ts';
import { coordinationFlags } from '../flags/coordination.ts';
import { nodeFlag } from '../flags/node.ts';
import { renderRemoved } from '../ui/removal.ts';

export default class Rm extends BaseCommand {
  static override summary = 'Remove images, and the blobs that no other image needs.';

  static override description =
    'Takes names, NAME@DIGEST, and digests or their beginnings. Safe beside pulls of the same store.';

  static override examples = [
    '<%= config.bin %> rm busybox',
    '<%= config.bin %> rm registry.example:5000/team/app:1.1 registry.example:5000/team/app:1.2',
    '<%= config.bin %> rm busybox --platform linux/arm64',
    '<%= config.bin %> rm 4f2a9c --force --json',
  ];

  static override strict = false;

  static override args = {
    image: Args.string({
      required: true,
      ignoreStdin: true,
      description: 'Images, as docker rmi takes them.',
    }),
  };

  static override flags = {
    ...coordinationFlags,
    ...nodeFlag,
    platform: Flags.string({
      description: 'Remove only this platform. Default: all of each name.',
      helpValue: 'OS/ARCH[/VARIANT]',
    }),
    force: Flags.boolean({ char: 'f', description: 'Remove an image given by digest under all its names.' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Rm);
    await this.work(flags, { stopping: 'stopping' }, async ({ machine, output, log, signal }) => {
      const config = readRmConfig(flags, machine);
      const result = await runRemove(argv.map(String), config, { log, signal });
      if (output.json) this.printJson(result);
      else if (result.untagged.length > 0) this.print(renderRemoved(result));
    });
  }
}
