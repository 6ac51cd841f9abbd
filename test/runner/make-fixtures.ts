/** Makes the fixture images ahead of the tests, so that no test's time limit pays for them. */
import { makeImages } from '../helpers/images.ts';
import { unmet } from '../helpers/requirements.ts';

for (const name of ['busybox', 'debian'] as const) {
  const reason = await unmet([
    'docker-registry',
    'skopeo',
    'busybox',
    ...(name === 'debian' ? (['debian-image'] as const) : []),
  ]);
  if (reason === undefined) await makeImages([name]);
  else console.log(`no ${name} image: ${reason}`);
}
