/** The packages that an image's package managers have on record, as an SPDX 2.3 document (spdx.github.io/spdx-spec). */
import { byteString, type TreeView } from '../source/tree-view.ts';
import { readTreeText } from '../steps/account.ts';

interface Package {
  readonly name: string;
  readonly version: string;
  /** Of a package URL: `deb`, `apk`. */
  readonly type: string;
}

export function packageDocument(view: TreeView, digest: string): object {
  const distribution = /^ID="?([a-z0-9._-]+)"?$/m.exec(readTreeText(view, 'etc/os-release') ?? '')?.[1] ?? 'linux';
  const packages = [
    ...debianPackages(readTreeText(view, 'var/lib/dpkg/status') ?? ''),
    ...distroless(view),
    ...alpinePackages(readTreeText(view, 'lib/apk/db/installed') ?? ''),
  ];
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: digest,
    documentNamespace: `https://spdx.org/spdxdocs/${digest.replace(':', '-')}`,
    creationInfo: { creators: ['Tool: trun'], created: '1970-01-01T00:00:00Z' },
    packages: packages.map(({ name, version, type }, i) => ({
      name,
      SPDXID: `SPDXRef-Package-${i}`,
      versionInfo: version,
      downloadLocation: 'NOASSERTION',
      externalRefs: [
        {
          referenceCategory: 'PACKAGE-MANAGER',
          referenceType: 'purl',
          referenceLocator: `pkg:${type}/${distribution}/${encodeURIComponent(name)}@${encodeURIComponent(version)}`,
        },
      ],
    })),
  };
}

/** dpkg(1)'s status file: stanzas of fields. */
function debianPackages(status: string): Package[] {
  return status.split('\n\n').flatMap((stanza) => {
    const [name, version, status] = ['Package', 'Version', 'Status'].map(
      (field) => new RegExp(`^${field}: (.*)$`, 'm').exec(stanza)?.[1],
    );
    const isThere = status === undefined || status.endsWith(' installed');
    return name === undefined || version === undefined || !isThere ? [] : [{ name, version, type: 'deb' }];
  });
}

/** Images without dpkg keep a stanza for each package in status.d. */
function distroless(view: TreeView): Package[] {
  const folder = 'var/lib/dpkg/status.d';
  const found = view.resolve(folder);
  if (found?.node.kind !== 'directory') return [];
  return view
    .names(found.node, found.path)
    .filter((name) => !name.endsWith('.md5sums'))
    .flatMap((name) => debianPackages(readTreeText(view, byteString(`${folder}/${name}`)) ?? ''));
}

/** apk's database: `P:` name, `V:` version. */
function alpinePackages(installed: string): Package[] {
  return installed.split('\n\n').flatMap((stanza) => {
    const [name, version] = [/^P:(.*)$/m.exec(stanza)?.[1], /^V:(.*)$/m.exec(stanza)?.[1]];
    return name === undefined || version === undefined ? [] : [{ name, version, type: 'apk' }];
  });
}
