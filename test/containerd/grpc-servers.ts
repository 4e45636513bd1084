import { createServer } from 'node:net';
import path from 'node:path';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { type PluginMessage, probeMethods } from '../../src/containerd/probe-proto.ts';
import { onCleanup } from '../support/cleanup.ts';
import { tempDir } from '../support/temp.ts';

/** What a server on a socket answers; the calls that are left out it does not have. */
export interface FakeAnswers {
  /** Code of the answer to `Status` of the content service. */
  readonly contentStatus?: status;
  readonly version?: string;
  readonly plugins?: readonly Partial<PluginMessage>[];
}

/** A gRPC server on a socket of its own, as containerd and the content plugin have one, until the test ends. */
export async function startGrpc(answers: FakeAnswers): Promise<string> {
  const socket = path.join(tempDir(), 'grpc.sock');
  const server = new Server();
  const { contentStatus, version, plugins } = probeMethods();
  const { contentStatus: code } = answers;
  if (code !== undefined) {
    server.addService(
      { Status: contentStatus },
      {
        Status: (_: unknown, reply: (error: object | null, value: object) => void) =>
          reply(code === status.OK ? null : { code }, {}),
      },
    );
  }
  if (answers.version !== undefined) {
    server.addService({ Version: version }, { Version: replying({ version: answers.version }) });
  }
  if (answers.plugins) {
    server.addService({ Plugins: plugins }, { Plugins: replying({ plugins: answers.plugins }) });
  }
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  onCleanup(() => server.forceShutdown());
  return socket;
}

function replying(value: object) {
  return (_: unknown, reply: (error: null, value: object) => void) => reply(null, value);
}

/** A socket on which somebody listens who never says anything. */
export async function startSilent(): Promise<string> {
  const socket = path.join(tempDir(), 'silent.sock');
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onCleanup(() => void server.close());
  return socket;
}
