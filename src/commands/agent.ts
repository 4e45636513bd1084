import * as Flags from '@oclif/core/flags';
import { BaseCommand, type CommandContext } from '../command.ts';
import { type RunningAgent, startAgent } from '../compose/agent.ts';
import { type AgentConfig, readAgentConfig } from '../config/agent.ts';
import type { GivenFlags } from '../config/values.ts';
import { LayerpullError } from '../core/errors.ts';
import { coordinationFlags } from '../flags/coordination.ts';
import { nodeFlag } from '../flags/node.ts';
import { registryFlags } from '../flags/registry.ts';
import { clientConfig, type MirrorClient, mirrorClients } from '../ui/client-config.ts';

export default class Agent extends BaseCommand {
  static override summary =
    'Run the daemon of a node: one session for all its pulls, and its layers for other nodes.';

  static override description =
    'Prints its URL (or its store, where it serves no other nodes) and runs until SIGINT or SIGTERM. Then it lets those finish who read from it, and ends with exit code 0. Pulls on its store go through it, whatever --server they are given.';

  static override examples = [
    '<%= config.bin %> agent --server lock.example:8080',
    '<%= config.bin %> agent --server lock.example:8080 --zone rack-4 --peer-addr 10.0.0.12:7041',
    '<%= config.bin %> agent --server lock.example:8080 --registry-addr 127.0.0.1:5001',
    '<%= config.bin %> agent --registry-addr 127.0.0.1:5001 --print-config containerd',
    '<%= config.bin %> agent --store /srv/layerpull',
  ];

  static override flags = {
    ...coordinationFlags,
    ...nodeFlag,
    ...registryFlags,
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
    'registry-addr': Flags.string({
      description:
        'Address of a read-only registry through which containerd, docker, podman and skopeo pull. Default: none.',
      helpValue: 'HOST:PORT',
    }),
    'mirror-as-agent': Flags.boolean({
      description: 'Its clients without credentials read from registries with those of the agent.',
    }),
    'offline-ttl': Flags.string({
      description: 'How long an access that was proved counts while a registry is out of reach. Default: 1h.',
      helpValue: 'DURATION',
    }),
    'print-config': Flags.string({
      description: 'Print what makes this program pull through --registry-addr, and end.',
      options: [...mirrorClients],
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
    const { 'print-config': client, ...settings } = flags;
    await this.work(settings, options, async (context) => {
      if (client === undefined) await this.serve(settings, context);
      else this.print(configFor(client, readAgentConfig(settings, context.machine)));
    });
  }

  private async serve(flags: GivenFlags, context: CommandContext): Promise<void> {
    const { machine, signal, allowMs, onHangup, output } = context;
    const config = readAgentConfig(flags, machine);
    allowMs(config.drainMs + closingMs);
    const agent = await startUnlessStopped(config, context);
    if (!agent) return;
    onHangup(agent.reload);
    try {
      if (output.json) this.printJson(documentOf(agent));
      else this.print([agent.peerUrl ?? agent.store, agent.registryUrl].filter(Boolean).join('\n'));
      await aborted(signal);
      await agent.drain();
    } finally {
      await agent.close();
    }
  }
}

/** @throws LayerpullError `usage` without an address */
function configFor(client: string, { mirror, trust }: AgentConfig): string {
  const known = mirrorClients.find((name): name is MirrorClient => name === client);
  if (!mirror || !known) {
    throw new LayerpullError('usage', '--print-config needs --registry-addr', {
      hint: 'such as --registry-addr 127.0.0.1:5001',
    });
  }
  const { host, port } = mirror.address;
  const scheme = trust?.pair ? 'https' : 'http';
  const url = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const asksToken = trust?.tokenFile !== undefined;
  return clientConfig({ client: known, url, caFile: trust?.caFile, asksToken }).trimEnd();
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

function documentOf({ store, peerUrl, registryUrl }: RunningAgent) {
  return { store, peerUrl: peerUrl ?? null, registryUrl: registryUrl ?? null };
}

/** A stop signal is how an agent ends, not a failure of it. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
