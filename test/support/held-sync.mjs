// Loaded into a program: while the file HOLD_SYNC is there, the disk of the program takes its time.
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';

const handle = await open(new URL(import.meta.url));
const prototype = Object.getPrototypeOf(handle);
await handle.close();

const { sync, datasync } = prototype;

async function held() {
  while (existsSync(process.env.HOLD_SYNC)) await new Promise((resolve) => setTimeout(resolve, 10));
}

prototype.sync = async function () {
  await held();
  return await sync.call(this);
};
prototype.datasync = async function () {
  await held();
  return await datasync.call(this);
};
