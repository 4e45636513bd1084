import { mkdtemp, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** The kernel keeps a Unix socket's path in 108 bytes (104 on macOS) and Node cuts longer ones in silence. */
const maxPathBytes = 100;

export interface SocketPath {
  readonly path: string;
  /** Removes what made the path short. The socket itself stays. */
  dispose(): Promise<void>;
}

/** A path by which `STORE/coordinator.sock` can be bound and reached, however long the store's path is. */
export async function shortSocketPath(store: string): Promise<SocketPath> {
  const direct = path.join(store, 'coordinator.sock');
  if (Buffer.byteLength(direct) <= maxPathBytes) return { path: direct, async dispose() {} };
  const folder = await mkdtemp(path.join(os.tmpdir(), 'layerpull-'));
  const link = path.join(folder, 's');
  await symlink(store, link);
  return {
    path: path.join(link, 'coordinator.sock'),
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}
