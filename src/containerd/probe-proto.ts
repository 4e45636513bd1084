import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

/** Of containerd's wire contracts the few calls with which somebody can look whether all is as it should be. */
const wire: Parameters<typeof fromJSON>[0] = {
  nested: {
    content: {
      nested: {
        Content: unary('Status', 'StatusRequest', 'Anything'),
        StatusRequest: message({ ref: { type: 'string', id: 1 } }),
        Anything: message({}),
      },
    },
    version: {
      nested: {
        Version: unary('Version', 'Nothing', 'VersionResponse'),
        Nothing: message({}),
        VersionResponse: message({ version: { type: 'string', id: 1 } }),
      },
    },
    introspection: {
      nested: {
        Introspection: unary('Plugins', 'PluginsRequest', 'PluginsResponse'),
        PluginsRequest: message({ filters: { rule: 'repeated', type: 'string', id: 1 } }),
        PluginsResponse: message({ plugins: { rule: 'repeated', type: 'Plugin', id: 1 } }),
        Plugin: message({
          type: { type: 'string', id: 1 },
          id: { type: 'string', id: 2 },
          exports: { keyType: 'string', type: 'string', id: 5 },
          initErr: { type: 'Failure', id: 7 },
        }),
        Failure: message({ message: { type: 'string', id: 2 } }),
      },
    },
  },
};

/** A plugin of a containerd that runs. */
export interface PluginMessage {
  readonly type: string;
  readonly id: string;
  readonly exports: Readonly<Record<string, string>>;
  /** Null where it was loaded. */
  readonly initErr: { readonly message: string } | null;
}

export type Method = MethodDefinition<object, object>;

export interface ProbeMethods {
  readonly contentStatus: Method;
  readonly version: Method;
  readonly plugins: Method;
}

export function probeMethods(): ProbeMethods {
  const definitions = fromJSON(wire, { defaults: true });
  const method = (name: string, call: string, path: string) => {
    const definition = (definitions[name] as ServiceDefinition)[call];
    if (!definition) throw new Error(`no method ${name}/${call}`);
    return { ...definition, path };
  };
  return {
    contentStatus: method('content.Content', 'Status', '/containerd.services.content.v1.Content/Status'),
    version: method('version.Version', 'Version', '/containerd.services.version.v1.Version/Version'),
    plugins: method(
      'introspection.Introspection',
      'Plugins',
      '/containerd.services.introspection.v1.Introspection/Plugins',
    ),
  };
}

function message<Fields extends object>(fields: Fields) {
  return { fields };
}

function unary(name: string, requestType: string, responseType: string) {
  return { methods: { [name]: { requestType, responseType, comment: '' } } };
}
