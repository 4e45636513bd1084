import type { MirrorsConfig } from '../config/mirrors.ts';
import type { RegistryOptions } from '../registry/client.ts';

/** Wires which servers are asked before a registry. `registries.conf` is read with the first image. */
export function composeMirrors(config: MirrorsConfig): NonNullable<RegistryOptions['mirrors']> {
  const { given, byRegistry, byDefault, registriesConf } = config;
  return {
    ...config,
    mirrorsOf: (registry) => given ?? byRegistry.get(registry.toLowerCase()) ?? byDefault,
    loadRegistriesConf: async () => {
      if (registriesConf.choices.length === 0) return undefined;
      const { loadRegistriesConf } = await import('../registry/registries-files.ts');
      return await loadRegistriesConf(registriesConf);
    },
  };
}
