import { BaseCommand, type CommandContext } from '../command.ts';
import { composeStatus, type NodeView } from '../compose/status.ts';
import { readStatusConfig, type StatusConfig } from '../config.ts';
import { coordinationFlags } from '../flags/coordination.ts';
import { nodesDocument, renderNodes } from '../ui/nodes.ts';

export default class Nodes extends BaseCommand {
  static override summary = 'Show the nodes that the lock server knows.';

  static override examples = [
    '<%= config.bin %> nodes --server lock.example:8080',
    '<%= config.bin %> nodes --json',
  ];

  static override flags = { ...coordinationFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(Nodes);
    await this.work(flags, { stopping: 'stopping' }, async ({ machine, output, log, clock, signal }) => {
      const config = readStatusConfig(flags, machine);
      const nodes = await list(config, { log, signal });
      if (output.json) this.printJson(nodesDocument(nodes, clock.wallNow()));
      else this.print(await renderNodes(nodes, config.store));
    });
  }
}

/** Undefined when nobody coordinates. */
async function list(
  config: StatusConfig,
  { log, signal }: Pick<CommandContext, 'log' | 'signal'>,
): Promise<readonly NodeView[] | undefined> {
  const { locks, close } = await composeStatus(config, log);
  try {
    return await locks?.nodes(signal);
  } finally {
    await close();
  }
}
