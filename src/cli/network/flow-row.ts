/** What `network top` shows. */
import type { NetworkFlows } from '../../engine/requests.ts';
import { formatSize } from '../output/size.ts';
import type { Row, TableLayout } from '../output/row-format.ts';

export const FLOW_TABLE: TableLayout = {
  template:
    '{{.Network}}\t{{.Container}}\t{{.Protocol}}\t{{.Local}}\t{{.Direction}}\t{{.Peer}}\t{{.State}}\t{{.Sent}}\t{{.Received}}',
  headers: {
    Container: 'CONTAINER',
    Direction: ' ',
    Local: 'LOCAL',
    Network: 'NETWORK',
    Peer: 'PEER',
    Protocol: 'PROTO',
    Received: 'RECEIVED',
    Sent: 'SENT',
    State: 'STATE',
  },
};

/** @param name the container's name */
export function flowRow(network: string, flow: NetworkFlows['flows'][number], name: string): Row {
  return {
    Container: name,
    Direction: flow.isInward ? '<-' : '->',
    Local: endpoint(flow.address, flow.containerPort),
    Network: network,
    Peer: endpoint(flow.peer, flow.peerPort),
    Protocol: flow.protocol,
    Received: formatSize(flow.toContainer),
    ReceivedBytes: flow.toContainer,
    Sent: formatSize(flow.fromContainer),
    SentBytes: flow.fromContainer,
    State: flow.state,
  };
}

/** A network's counters as a line. */
export function counterLine({ network, stats }: NetworkFlows): string {
  function sum(count: (each: NetworkFlows['stats'][number]) => number): number {
    return stats.reduce((total, each) => total + count(each), 0);
  }
  const dropped = new Map<string, number>();
  for (const each of stats) {
    for (const [reason, count] of Object.entries(each.dropped)) {
      if (count > 0 && reason !== 'notOurs') dropped.set(reason, (dropped.get(reason) ?? 0) + count);
    }
  }
  return [
    `${network}: ${formatSize(sum(({ link }) => link.receivedBytes))} from, ${formatSize(sum(({ link }) => link.sentBytes))} to containers`,
    `tcp ${sum(({ tcp }) => tcp.flows)} (${sum(({ tcp }) => tcp.opened)} opened, ${sum(({ tcp }) => tcp.refused)} refused, ${sum(({ tcp }) => tcp.retransmitted)} retransmitted)`,
    `udp ${sum(({ udp }) => udp.flows)}`,
    `dns ${sum(({ dns }) => dns.queries)} (${sum(({ dns }) => dns.failed)} failed)`,
    ...[...dropped].map(([reason, count]) => `${reason} ${count}`),
  ].join(', ');
}

function endpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
