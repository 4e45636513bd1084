import * as Flags from '@oclif/core/flags';
import { BaseCommand, type CommandContext } from '../command.ts';
import { type RunningAgent, startAgent } from '../compose/agent.ts';
import { type AgentConfig, mirrorUrlOf, readAgentConfig } from '../config/agent.ts';
import type { GivenFlags } from '../config/values.ts';
import { boundFlags, peerFlags } from '../flags/bounds.ts';
import { containerdRootFlags } from '../flags/containerd-root.ts';
import { coordinationFlags } from '../flags/coordination.ts';
import { daemonFlags } from '../flags/daemon.ts';
import { nodeFlag } from '../flags/node.ts';
import { registryFlags } from '../flags/registry.ts';
import { clientConfig, clientNotes, type MirrorClient, mirrorClients } from '../ui/client-config.ts';

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
    '<%= config.bin %> agent --server lock.example:8080 --content-socket /run/layerpull/content.sock',
    '<%= config.bin %> agent --store /srv/layerpull',
  ];

  static override flags = {
    ...coordinationFlags,
    ...nodeFlag,
    ...peerFlags,
    ...boundFlags,
    ...registryFlags,
    ...daemonFlags,
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
    'content-socket': Flags.string({
      description: 'Socket on which containerd finds its content, as with content-plugin. Default: none.',
      helpValue: 'PATH',
    }),
    ...containerdRootFlags,
    'print-config': Flags.string({
      description: 'Print what has this program pull through --registry-addr, and end.',
      options: [...mirrorClients],
    }),
    'drain-timeout': Flags.string({
      description:
        'When told to end: time for those who read from this node or its mirror. Default: 20s; 0 ends at once.',
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
      const asked = mirrorClients.find((name) => name === client);
      if (asked) this.printConfig(asked, settings, context);
      else await this.serve(settings, context);
    });
  }

  private printConfig(
    client: MirrorClient,
    flags: GivenFlags,
    { machine, output, log }: CommandContext,
  ): void {
    const config = readAgentConfig(flags, machine);
    const { tokenFile, pair, caFile } = config.trust ?? {};
    const asksToken = tokenFile !== undefined;
    const options = { client, url: mirrorUrlOf(config), asksToken, pair, caFile: pair && caFile };
    const text = clientConfig(options);
    for (const note of clientNotes(options)) log.warn({}, note);
    if (output.json) this.printJson({ client, config: text });
    else this.print(text.trimEnd());
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
      else
        this.print(
          [agent.peerUrl ?? agent.store, agent.registryUrl, agent.contentSocket].filter(Boolean).join('\n'),
        );
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

function documentOf({ store, peerUrl, registryUrl, contentSocket }: RunningAgent) {
  return {
    store,
    peerUrl: peerUrl ?? null,
    registryUrl: registryUrl ?? null,
    contentSocket: contentSocket ?? null,
  };
}

/** A stop signal is how an agent ends, not a failure of it. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
