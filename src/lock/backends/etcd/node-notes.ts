import type { MachineState } from '../../machine/state.ts';
import type { NodeRegistry } from '../../node-registry.ts';
import type { ClusterCommand } from './replica/cluster.ts';

/** The sessions of a cluster that was read. */
export function registerNodes(nodes: NodeRegistry, { sessions }: MachineState, nowMs: number): void {
  for (const { id, opened, peer } of sessions.values()) {
    nodes.opened(id, opened, nowMs);
    nodes.heard(id, peer.isDraining, nowMs);
  }
}

/** What a command tells of the nodes; that a session ended says the machine. */
export function noteNodes(
  nodes: NodeRegistry,
  command: ClusterCommand,
  { sessions }: MachineState,
  nowMs: number,
): void {
  if (command.kind === 'open-session') {
    const { sessionId } = command.request;
    if (sessions.has(sessionId)) nodes.opened(sessionId, command.request, nowMs);
  }
  if (command.kind === 'renew') nodes.heard(command.sessionId, command.heartbeat.draining, nowMs);
}
