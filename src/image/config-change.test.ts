import { expect, test } from 'vitest';
import { changeConfig } from './config-change.ts';

test.each([
  ['CMD ["a", "b c"]', { Cmd: ['a', 'b c'] }],
  ['cmd echo hi', { Cmd: ['/bin/sh', '-c', 'echo hi'] }],
  ['ENTRYPOINT ["/init"]', { Entrypoint: ['/init'], Cmd: undefined }],
  ['ENV A=1 B="x y" C=a\\ b', { Env: ['PATH=/bin', 'A=1', 'B=x y', 'C=a b'] }],
  ['ENV PATH /usr/bin:/bin', { Env: ['PATH=/usr/bin:/bin'] }],
  ['EXPOSE 80 53/udp 8000-8001', { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {} } }],
  ['LABEL a=b "c"="d e"', { Labels: { a: 'b', c: 'd e' } }],
  ['VOLUME /data /more', { Volumes: { '/data': {}, '/more': {} } }],
  ['VOLUME ["/a b"]', { Volumes: { '/a b': {} } }],
  ['WORKDIR sub', { WorkingDir: '/srv/sub' }],
  ['WORKDIR /abs', { WorkingDir: '/abs' }],
  ['USER 1000:1000', { User: '1000:1000' }],
  ['STOPSIGNAL SIGINT', { StopSignal: 'SIGINT' }],
  ['ONBUILD RUN x', { OnBuild: ['RUN x'] }],
  ['HEALTHCHECK NONE', { Healthcheck: { Test: ['NONE'] } }],
])('%s', (instruction, expected) => {
  expect(changeConfig({ Env: ['PATH=/bin'], WorkingDir: '/srv' }, instruction)).toMatchObject(expected);
});

test.each(['RUN ls', 'CMD', 'ENV A', 'EXPOSE x', 'EXPOSE 70000', '', 'SHELL sh', 'LABEL =x'])(
  '%j is refused',
  (change) => {
    expect(() => changeConfig({}, change)).toThrow(/^Cannot change the image/);
  },
);
