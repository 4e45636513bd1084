import { join } from 'node:path';
import * as Flags from '@oclif/core/flags';
import { BaseCommand, type CommandContext } from '../command.ts';
import { createSpawner } from '../demo/children.ts';
import type { DemoResult } from '../demo/result.ts';
import { runDemo } from '../demo/run.ts';
import { renderDemo } from '../ui/demo-table.ts';
import { createDemoView } from '../ui/demo-view.ts';

export default class Demo extends BaseCommand {
  static override summary = 'Watch two nodes pull one image, each layer once.';

  static override description =
    `Starts a lock server and the nodes as processes on one temporary store. Without --image it serves an image
that it makes, from a registry of its own, so it needs no network.`;

  static override examples = [
    '<%= config.bin %> demo',
    '<%= config.bin %> demo --nodes 4',
    '<%= config.bin %> demo --image docker.io/library/busybox --json',
  ];

  static override flags = {
    image: Flags.string({
      description: 'Image in a real registry. Default: one that the demo makes and serves.',
      helpValue: 'REF',
    }),
    nodes: Flags.integer({
      description: 'Nodes that pull, 2 to 16. Default: 2.',
      min: 2,
      max: 16,
      helpValue: 'N',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Demo);
    const { image, nodes = 2, ...shared } = flags;
    await this.work(shared, { stopping: 'stopping the processes of the demo' }, async (context) => {
      const result = await this.show(image, nodes, context);
      if (context.output.json) this.printJson(result);
      else this.print(await renderDemo(result));
    });
  }

  private async show(image: string | undefined, nodes: number, context: CommandContext): Promise<DemoResult> {
    const { machine, clock, signal } = context;
    const program = join(this.config.root, 'bin', 'run.js');
    const view = await createDemoView(context.output, { stream: process.stderr, clock });
    try {
      return await runDemo({
        image,
        nodes,
        clock,
        signal,
        createSpawn: (folder) => createSpawner({ program, env: machine.env }, folder),
        onStart: view.start,
        onEvent: view.handle,
        onTrouble: view.trouble,
      });
    } finally {
      view.close();
    }
  }
}
