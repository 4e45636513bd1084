import { randomUUID } from 'node:crypto';
import { beforeAll } from 'vitest';
import { describeContentStore } from '../conformance/content-store.ts';
import { describeWith } from '../support/components.ts';
import { startContainerd } from '../support/containerd.ts';
import { createContentClient } from '../support/content-client.ts';
import { setUpService } from './support.ts';

// What the suite asks for is what containerd does, and not what somebody thinks that it does.
describeWith(['containerd'], 'containerd itself', () => {
  let socket = '';
  beforeAll(async () => {
    socket = (await startContainerd()).socket;
  });
  describeContentStore('of containerd', async () => createContentClient(socket, `test-${randomUUID()}`));
});

describeWith(['containerd'], 'containerd with layerpull as its content store', () => {
  let socket = '';
  beforeAll(async () => {
    socket = (await startContainerd({ contentSocket: (await setUpService()).socket })).socket;
  });
  describeContentStore('of containerd over layerpull', async () => {
    return createContentClient(socket, `test-${randomUUID()}`);
  });
});
