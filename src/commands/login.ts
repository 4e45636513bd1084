import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand, type CommandContext } from '../command.ts';
import { login, loginName } from '../compose/login.ts';
import { type PasswordSource, readLoginConfig, readPasswordSource } from '../config/login.ts';
import { LayerpullError } from '../core/errors.ts';
import { authFileFlag } from '../flags/access.ts';
import { registryFlags } from '../flags/registry.ts';
import { tlsFlags } from '../flags/tls.ts';
import { ask, askHidden, readSecret } from '../ui/prompt.ts';

export default class Login extends BaseCommand {
  static override summary = 'Sign in to a registry, for layerpull and for docker.';

  static override description =
    'Shows the password to the registry and keeps it where docker does: in its file, or in the helper that it names.';

  static override examples = [
    'pass show registry | <%= config.bin %> login registry.example:5000 -u bob --password-stdin',
    '<%= config.bin %> login',
  ];

  static override args = {
    registry: Args.string({
      ignoreStdin: true,
      description: 'HOST[:PORT], or a part of it as HOST/NAMESPACE. Default: docker.io.',
    }),
  };

  static override flags = {
    username: Flags.string({ char: 'u', description: 'User name. Default: ask.', helpValue: 'NAME' }),
    password: Flags.string({
      char: 'p',
      description: 'Password. Others on this machine can see it; prefer --password-stdin.',
      helpValue: 'PASSWORD',
    }),
    'password-stdin': Flags.boolean({ description: 'Read the password from stdin.' }),
    ...authFileFlag,
    'plain-http': registryFlags['plain-http'],
    ...tlsFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Login);
    await this.work(flags, { stopping: 'stopping' }, async (context) => {
      const config = readLoginConfig(flags, context.machine);
      const name = loginName(args.registry);
      const source = readPasswordSource(flags);
      if (source.kind === 'flag') {
        context.log.warn({}, '--password shows the password to others on this machine; use --password-stdin');
      }
      const account = await readAccount(name, flags.username, source, context);
      const result = await login(config, args.registry, account, context.log, context.signal);
      if (context.output.json) this.printJson(result);
      else this.print(`Login Succeeded for ${result.registry}`);
    });
  }
}

/** Asks for what was not given. @throws LayerpullError `usage` where nobody can be asked */
async function readAccount(
  name: string,
  given: string | undefined,
  source: PasswordSource,
  { signal }: CommandContext,
): Promise<{ username: string; password: string }> {
  const { stdin: input, stderr: output } = process;
  if ((given === undefined || source.kind === 'ask') && !input.isTTY) throw nobodyToAsk();
  const keyboard = { input, output, interrupt: () => void process.kill(process.pid, 'SIGINT'), signal };
  const username = given ?? (await ask(`User name for ${name}: `, keyboard));
  if (username === '') throw new LayerpullError('usage', 'the user name is empty');
  if (username.includes(':')) throw new LayerpullError('usage', 'a user name has no colon');
  const password = await readPassword(source, () => askHidden('Password: ', keyboard), signal);
  if (password === '') throw new LayerpullError('usage', 'the password is empty');
  return { username, password };
}

async function readPassword(
  source: PasswordSource,
  askForIt: () => Promise<string>,
  signal: AbortSignal,
): Promise<string> {
  if (source.kind === 'flag') return source.password;
  return source.kind === 'stdin' ? await readSecret(process.stdin, signal) : await askForIt();
}

function nobodyToAsk(): LayerpullError {
  return new LayerpullError('usage', 'there is no terminal to ask for the user name and the password', {
    hint: 'give -u NAME --password-stdin, with the password on stdin',
  });
}
