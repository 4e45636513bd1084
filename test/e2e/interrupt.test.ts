import path from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../support/components.ts';
import { startGateProxy } from '../support/gate-proxy.ts';
import { pushImage } from '../support/images.ts';
import { patientPull, patientServer } from '../support/patient.ts';
import { spawnInTerminal } from '../support/pty.ts';
import { resultOf, startPull, startServer } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

/** A registry whose layers stop in the middle, so that a pull is under way for as long as a test wants. */
async function setUp() {
  const registry = await startRegistry();
  const image = await pushImage(registry, 'library/busybox:latest', { layers: [2_000_000, 3_000_000] });
  const gate = await startGateProxy(registry);
  gate.shut(1_200_000);
  const reference = `${gate.host}/library/busybox:latest`;
  return { image, gate, reference, store: path.join(tempDir(), 'store') };
}

describeWith(['docker-registry'], 'a pull that is interrupted', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 143],
  ] as const)(
    'by %s ends with exit code %i, and the waiting node goes on from its partial',
    async (name, code) => {
      const { gate, reference, store, image } = await setUp();
      const { url: server } = await startServer('127.0.0.1:0', ['--ephemeral', ...patientServer]);
      const first = await startPull({ reference, store, server, node: 'node-a', more: patientPull });
      await gate.waiting(2);
      const second = await startPull({ reference, store, server, node: 'node-b', more: patientPull });
      await soon(async () => {
        const waiting = second.jsonEvents().filter(({ kind }) => kind === 'waiting');
        expect(new Set(waiting.map((event) => event['digest'])).size).toBe(image.layers.length);
      });
      first.kill(name);
      expect((await first.exited).code).toBe(code);
      const event = await second.nextJsonEvent('downloading');
      expect(event['offset']).toBeGreaterThan(1_000_000);
      gate.open();
      resultOf(await second.result());
    },
  );

  it('goes on from what it kept when it is started again', async () => {
    const { gate, reference, store, image } = await setUp();
    const first = await startPull({ reference, store, more: patientPull });
    await gate.waiting(2);
    await soon(async () => {
      const far = first
        .jsonEvents()
        .filter(({ kind, offset }) => kind === 'progress' && Number(offset) > 1e6);
      expect(new Set(far.map(({ digest }) => digest)).size).toBe(image.layers.length);
    });
    first.kill('SIGINT');
    await first.exited;
    gate.open();
    const result = resultOf(await (await startPull({ reference, store })).result());
    const size = image.layers.reduce((sum, layer) => sum + layer.size, 0);
    expect(result.bytesFromRegistry).toBeLessThan(size - 2_000_000);
  });

  it('ends at once at the second Ctrl-C even when the lock server is frozen', async () => {
    const { gate, reference, store } = await setUp();
    const { url: server, child } = await startServer();
    const pull = await startPull({ reference, store, server });
    await gate.waiting(2);
    child.kill('SIGSTOP');
    pull.kill('SIGINT');
    pull.kill('SIGINT');
    expect((await pull.exited).code).toBe(130);
    child.kill('SIGCONT');
  });
});

describeWith(['docker-registry'], 'Ctrl-C in a terminal', () => {
  it('ends with exit code 130 and leaves the cursor visible', async () => {
    const { gate, reference, store } = await setUp();
    const terminal = spawnInTerminal(['pull', reference, '--store', store]);
    await gate.waiting(2);
    await terminal.output.waitFor(/downloading/);
    terminal.write('\x03');
    expect((await terminal.exited).code).toBe(130);
    expect(terminal.isCursorVisible()).toBe(true);
    expect(terminal.output.text()).not.toMatch(/ at .*\.js:\d+/);
  });
});
