import * as Flags from '@oclif/core/flags';
import { BaseCommand, type CommandContext } from '../command.ts';
import { type RunningAgent, startAgent } from '../compose/agent.ts';
import { type AgentConfig, readAgentConfig } from '../config/agent.ts';
import type { GivenFlags } from '../config/values.ts';
import { coordinationFlags } from '../flags/coordination.ts';
import { nodeFlag } from '../flags/node.ts';

export default class Agent extends BaseCommand {
  static override summary =
    'Run the daemon of a node: one session for all its pulls, and its layers for other nodes.';

  static override description =
    'Prints its URL (or its store, where it serves no other nodes) and runs until SIGINT or SIGTERM. Then it lets those finish who read from it, and ends with exit code 0. Pulls on its store go through it, whatever --server they are given.';

  static override examples = [
    '<%= config.bin %> agent --server lock.example:8080',
    '<%= config.bin %> agent --server lock.example:8080 --zone rack-4 --peer-addr 10.0.0.12:7041',
    '<%= config.bin %> agent --store /srv/layerpull',
  ];

  static override flags = {
    ...coordinationFlags,
    ...nodeFlag,
    zone: Flags.string({
      description: 'Where this node stands. Nodes of one zone read from each other first.',
      helpValue: 'NAME',
    }),
    'peer-addr': Flags.string({
      description:
        'Address on which other nodes read layers. Port 0 picks a free one. Default: 0.0.0.0:7041 with --server, else none.',
      helpValue: 'HOST:PORT',
    }),
    'peer-url': Flags.string({
      description:
        'URL by which others reach that address. Default: the address that reaches the lock server.',
      helpValue: 'URL',
    }),
    'drain-timeout': Flags.string({
      description: 'When told to end: time for those who read from this node. Default: 20s.',
      helpValue: 'DURATION',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Agent);
    const options = {
      logLevel: 'info',
      logFormat: 'json',
      stopping: 'stopping once nobody reads from here (press Ctrl-C again to exit at once)',
    } as const;
    await this.work(flags, options, (context) => this.serve(flags, context));
  }

  private async serve(flags: GivenFlags, context: CommandContext): Promise<void> {
    const { machine, signal, allowMs, output } = context;
    const config = readAgentConfig(flags, machine);
    allowMs(config.drainMs + closingMs);
    const agent = await startUnlessStopped(config, context);
    if (!agent) return;
    try {
      if (output.json) this.printJson(documentOf(agent));
      else this.print(agent.peerUrl ?? agent.store);
      await aborted(signal);
      await agent.drain();
    } finally {
      await agent.close();
    }
  }
}

/** Room for the last words to the lock server and to the processes of the store. */
const closingMs = 8_000;

/** Undefined when it was told to end while it waited for its turn. */
async function startUnlessStopped(
  config: AgentConfig,
  { log, signal }: CommandContext,
): Promise<RunningAgent | undefined> {
  try {
    return await startAgent(config, { log, signal });
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

function documentOf({ store, peerUrl }: RunningAgent) {
  return { store, peerUrl: peerUrl ?? null };
}

/** A stop signal is how an agent ends, not a failure of it. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
