// Loaded into a program: its files take FULL_AFTER_BYTES bytes in all, then the disk is full.
import { open } from 'node:fs/promises';

const handle = await open(new URL(import.meta.url));
const prototype = Object.getPrototypeOf(handle);
await handle.close();

let leftBytes = Number(process.env.FULL_AFTER_BYTES);

/** As the system does: what still has room is written. */
function take(bytes) {
  if (leftBytes <= 0 && bytes > 0) {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
      syscall: 'write',
    });
  }
  const taken = Math.min(bytes, leftBytes);
  leftBytes -= taken;
  return taken;
}

const { write, writev, writeFile } = prototype;
prototype.write = async function (buffer, offset = 0, length = buffer.length - offset, position = null) {
  return await write.call(this, buffer, offset, take(length), position);
};
prototype.writev = async function (buffers, position) {
  const room = take(buffers.reduce((sum, buffer) => sum + buffer.length, 0));
  return await writev.call(this, [Buffer.concat(buffers).subarray(0, room)], position);
};
prototype.writeFile = async function (data, options) {
  const bytes = Buffer.from(data);
  const room = take(bytes.length);
  await writeFile.call(this, bytes.subarray(0, room), options);
  if (room < bytes.length) take(1);
};
