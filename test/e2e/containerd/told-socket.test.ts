import path from 'node:path';
import { expect, test } from 'vitest';
import { describeWith } from '../../support/components.ts';
import { startContainerd } from '../../support/containerd.ts';
import { startContentPlugin } from '../../support/content-plugin.ts';
import { tempDir } from '../../support/temp.ts';

describeWith(['containerd'], 'a plugin that knows the socket of its containerd', () => {
  test('says whether containerd has its content there', async () => {
    const socket = path.join(tempDir(), 'content.sock');
    const start = async (contentSocket: string | undefined) => {
      const containerd = await startContainerd({ contentSocket });
      const store = path.join(tempDir(), 'store');
      const more = ['--containerd-socket', containerd.socket];
      return await startContentPlugin({ node: 'node-a', store, socket, more });
    };
    const right = await start(socket);
    expect(await right.child.waitForStderr(/containerd 1\.\S+ has its content here/)).toBeDefined();
    await right.child.stop();
    const wrong = await start(undefined);
    expect(await wrong.child.waitForStderr(/"level":"warn".*another content store: content"/)).toBeDefined();
  });
});
