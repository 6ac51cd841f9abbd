import type { KnownNetwork } from '../../engine/inspect-networks.ts';
import { formatTime } from '../output/duration.ts';
import { formatLabels } from '../output/labels.ts';
import type { Row, TableLayout } from '../output/row-format.ts';

export const NETWORK_TABLE: TableLayout = {
  template: '{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}',
  headers: {
    CreatedAt: 'CREATED AT',
    Driver: 'DRIVER',
    ID: 'NETWORK ID',
    IPv4: 'IPV4',
    IPv6: 'IPV6',
    Internal: 'INTERNAL',
    Labels: 'LABELS',
    Name: 'NAME',
    Scope: 'SCOPE',
  },
};

/** @param truncate shorten the id */
export function networkRow(network: KnownNetwork, truncate: boolean): Row {
  const { name, id, created, driver, subnet6, internal, labels = {} } = network;
  return {
    CreatedAt: formatTime(created),
    Driver: driver,
    ID: truncate ? id.slice(0, 12) : id,
    IPv4: 'true',
    IPv6: String(subnet6 !== undefined),
    Internal: String(internal ?? false),
    Labels: formatLabels(labels),
    Name: name,
    Scope: 'local',
    Label: (key) => (typeof key === 'string' ? labels[key] : undefined) ?? '',
  };
}
