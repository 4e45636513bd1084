import path from 'node:path';
import type { ContainerdConfig, ContentProxy } from '../containerd/config-file.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** The plugin of containerd that has to go, since containerd would take either of two content stores. */
const builtIn = 'io.containerd.content.v1.content';
const check = 'containerd config';

/**
 * Whether a configuration of containerd leads to one content store: the content plugin.
 *
 * @param wanted the socket of the content plugin, where somebody named it
 */
export function checkContainerdConfig(
  config: ContainerdConfig,
  wanted: string | undefined,
): readonly Finding[] {
  const [file = ''] = config.files;
  const [proxy, ...others] = config.contentProxies;
  const isDisabled = (plugin: string) => config.disabledPlugins.includes(plugin);
  if (!proxy) return [withoutProxy(file, isDisabled(builtIn), wanted)];
  const table = `[proxy_plugins.${proxy.name}]`;
  const problems: readonly (Finding | false)[] = [
    config.version < 2 &&
      wrong(`${file} has version ${config.version}`, 'write version = 2, or 3 for containerd 2'),
    others.length > 0 &&
      wrong(
        `${file} has ${config.contentProxies.length} content stores: ${config.contentProxies.map(({ name }) => name).join(', ')}`,
        'leave one of them in [proxy_plugins]',
      ),
    wrongAddress(file, table, proxy, wanted),
    isDisabled(`io.containerd.content.v1.${proxy.name}`) &&
      wrong(`${file} disables ${table}`, `give it another name than "${proxy.name}"`),
    !isDisabled(builtIn) &&
      wrong(`${file} leaves the built-in content store on`, `add "${builtIn}" to disabled_plugins`),
  ];
  const found = problems.filter((finding) => finding !== false);
  const fine = ok(check, `${file} has ${table} with ${proxy.address} as its only content store`);
  return [...(found.length > 0 ? found : [fine]), ...(config.isIsolated ? [isolated(file)] : [])];
}

function isolated(file: string): Finding {
  return warning(
    check,
    `${file} has content_sharing_policy = "isolated": containerd transfers again what the store has already`,
    'remove that from [plugins."io.containerd.metadata.v1.bolt"], unless namespaces must prove their own access',
  );
}

function withoutProxy(file: string, isBuiltInOff: boolean, wanted: string | undefined): Finding {
  const hint = `add [proxy_plugins.layerpull] with type = "content" and address = "${wanted ?? '/run/layerpull/content.sock'}"`;
  if (isBuiltInOff) return wrong(`${file} has no content store: the built-in one is disabled`, hint);
  if (wanted !== undefined) return wrong(`${file} has no proxy plugin of type content`, hint);
  return warning(
    check,
    `${file} has no proxy plugin of type content: containerd pulls without layerpull, or through a mirror`,
    hint,
  );
}

function wrongAddress(
  file: string,
  table: string,
  { address }: ContentProxy,
  wanted: string | undefined,
): Finding | false {
  if (!path.isAbsolute(address)) {
    return wrong(
      `${file}: the address of ${table} is "${address}", and no path`,
      'give it the path of the socket',
    );
  }
  if (wanted === undefined || path.resolve(address) === path.resolve(wanted)) return false;
  return wrong(`${file}: ${table} leads to ${address}, not to ${wanted}`, 'give both the same path');
}

function wrong(message: string, hint: string): Finding {
  return problem(check, message, hint);
}
