import { unmet } from '../../test/helpers/requirements.ts';
import { testDriver } from './testing/driver-suite.ts';

const plain = await unmet(['user-namespaces', 'busybox']);
const bridged = await unmet(['user-namespaces', 'busybox', 'dev-net-tun']);

testDriver('none', { namespace: 'private', addresses: false, obstacle: plain });
testDriver('host', { namespace: 'host', addresses: false, obstacle: plain });
testDriver('bridge', { namespace: 'private', addresses: true, link: 'bridge', obstacle: bridged });
testDriver('bridge', { namespace: 'private', addresses: true, link: 'tap', obstacle: bridged });
