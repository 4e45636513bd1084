export interface MediaTypes {
  readonly index: string;
  readonly manifest: string;
  readonly config: string;
  readonly tarLayer: string;
  readonly gzipLayer: string;
}

const oci: MediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  tarLayer: 'application/vnd.oci.image.layer.v1.tar',
  gzipLayer: 'application/vnd.oci.image.layer.v1.tar+gzip',
};

const docker: MediaTypes = {
  index: 'application/vnd.docker.distribution.manifest.list.v2+json',
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  tarLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  gzipLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
};

export function mediaTypesOf(options: { readonly docker?: boolean }): MediaTypes {
  return options.docker ? docker : oci;
}
