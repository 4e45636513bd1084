import { createServer, type Server, type Socket } from 'node:net';
import type { LockServer } from './server.ts';

/** A socket that is listened on while the server behind it is not loaded yet. */
export interface Doorbell {
  /** Stops listening, and closes the server if it was loaded. Idempotent. */
  close(): Promise<void>;
}

/**
 * Listens on a Unix socket and loads the lock server when somebody connects. Most pulls are alone on their store, and
 * the server takes longer to load than a small image to pull.
 */
export async function answerDoor(socketPath: string, load: () => Promise<LockServer>): Promise<Doorbell> {
  const atTheDoor = new Set<Socket>();
  let server: Promise<LockServer> | undefined;

  const open = async (socket: Socket) => {
    atTheDoor.add(socket);
    socket.once('close', () => atTheDoor.delete(socket));
    // One that leaves before it is let in is no failure of ours.
    socket.on('error', () => {});
    const loading = server ?? load();
    server = loading;
    try {
      await (await loading).accept(socket);
    } catch {
      // Whoever comes next may find it loads.
      if (server === loading) server = undefined;
      socket.destroy();
    }
  };

  // Paused: nothing is read before the one who understands it is there. Half open, as HTTP servers are.
  const door = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => void open(socket));
  await listening(door, socketPath);
  let closed: Promise<void> | undefined;
  const close = async () => {
    const shut = new Promise<void>((resolve) => door.close(() => resolve()));
    const loaded = await server?.catch(() => undefined);
    await loaded?.close();
    for (const socket of atTheDoor) socket.destroy();
    await shut;
  };
  return {
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

function listening(door: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    door.once('error', reject);
    door.listen(path, () => {
      door.off('error', reject);
      resolve();
    });
  });
}
