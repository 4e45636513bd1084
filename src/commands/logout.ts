import * as Args from '@oclif/core/args';
import { BaseCommand } from '../command.ts';
import { logout } from '../compose/login.ts';
import { readLoginConfig } from '../config/login.ts';
import { authFileFlag } from '../flags/access.ts';

export default class Logout extends BaseCommand {
  static override summary = 'Forget the credentials for a registry.';

  static override examples = ['<%= config.bin %> logout registry.example:5000', '<%= config.bin %> logout'];

  static override args = {
    registry: Args.string({
      ignoreStdin: true,
      description: 'HOST[:PORT], or a part of it as HOST/NAMESPACE. Default: docker.io.',
    }),
  };

  static override flags = { ...authFileFlag };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Logout);
    await this.work(flags, { stopping: 'stopping' }, async ({ machine, output, log, signal }) => {
      const result = await logout(readLoginConfig(flags, machine), args.registry, log, signal);
      if (output.json) this.printJson(result);
      else
        this.print(
          `${result.removed ? 'Removed login credentials for' : 'Not logged in to'} ${result.registry}`,
        );
    });
  }
}
