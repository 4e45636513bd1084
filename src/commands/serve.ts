import { Flags } from '@oclif/core';
import { BaseCommand, type CommandContext } from '../command.ts';
import { composeServe } from '../compose.ts';
import { readServeConfig } from '../config.ts';

export default class Serve extends BaseCommand {
  static override summary = 'Run the lock server that nodes share.';

  static override description =
    `Prints its URL and runs until SIGINT or SIGTERM, then ends with exit code 0.`;

  static override examples = [
    '<%= config.bin %> serve',
    '<%= config.bin %> serve --addr :8080',
    '<%= config.bin %> serve --addr 127.0.0.1:0 --log-format json',
  ];

  static override flags = {
    addr: Flags.string({
      description: 'Address to listen on. Port 0 picks a free one. Default: 127.0.0.1:8080.',
      helpValue: 'HOST:PORT',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Serve);
    const options = {
      logLevel: 'info',
      logFormat: 'json',
      stopping: 'stopping (press Ctrl-C again to exit at once)',
    } as const;
    await this.work(flags, options, (context) => this.serve(flags, context));
  }

  private async serve(flags: { addr?: string | undefined }, context: CommandContext): Promise<void> {
    const { machine, log, output, signal } = context;
    const server = await composeServe(readServeConfig(flags, machine), { log });
    try {
      if (output.json) this.printJson({ url: server.url });
      else this.print(server.url);
      await aborted(signal);
    } finally {
      await server.close();
    }
  }
}

/** A stop signal is how a server ends, not a failure of it. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
