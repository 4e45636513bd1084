import type { ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { parse } from 'protobufjs';
import { contentProto } from './content-proto.ts';

/** The content service, for servers and for clients. */
export function contentService(): ServiceDefinition {
  const { root } = parse(contentProto);
  const definitions = fromJSON(root.toJSON(), { longs: Number, enums: String, defaults: true });
  return definitions['containerd.services.content.v1.Content'] as ServiceDefinition;
}
