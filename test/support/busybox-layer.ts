import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { requireComponent } from './component-list.ts';
import { tempDir } from './temp.ts';

const applets = ['sh', 'echo', 'ls', 'cat', 'true', 'false', 'sleep', 'wget'];

/** The root folder of a real busybox image, as an uncompressed tar (about 2 MB). */
export function busyboxTar(): Uint8Array {
  const dir = path.join(tempDir(), 'rootfs');
  const bin = path.join(dir, 'bin');
  fs.mkdirSync(bin, { recursive: true });
  for (const folder of ['etc', 'tmp', 'root']) fs.mkdirSync(path.join(dir, folder));
  fs.copyFileSync(requireComponent('busybox').path, path.join(bin, 'busybox'));
  fs.chmodSync(path.join(bin, 'busybox'), 0o755);
  fs.writeFileSync(path.join(dir, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  for (const applet of applets) fs.symlinkSync('busybox', path.join(bin, applet));
  const options = [
    '--sort=name',
    '--mtime=@0',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--format=ustar',
  ];
  return execFileSync('tar', [...options, '-C', dir, '-cf', '-', '.'], { maxBuffer: 64 * 1024 * 1024 });
}
