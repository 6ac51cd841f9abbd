import { testDriver } from './testing/driver-suite.ts';

testDriver('none', { namespace: 'private', addresses: false });
testDriver('host', { namespace: 'host', addresses: false });
testDriver('bridge', { namespace: 'private', addresses: true, link: 'bridge' });
testDriver('bridge', { namespace: 'private', addresses: true, link: 'tap' });
