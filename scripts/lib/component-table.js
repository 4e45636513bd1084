/**
 * The real programs that the tests run beside layerpull. `program` is looked for on PATH, then taken out of the
 * Debian `package`, and with it what is in the packages `also`; `isStatic` asks for one that needs no libraries, because
 * it goes into a test image.
 *
 * @typedef {{ name: string, program: string, package: string, also?: readonly string[], isStatic?: boolean }} Component
 * @typedef {{ path: string, env: Record<string, string>, from: 'path' | 'package' }} Found
 * @typedef {{ missing: string }} Missing
 */

/** @type {readonly Component[]} */
export const componentTable = [
  { name: 'docker-registry', program: 'docker-registry', package: 'docker-registry' },
  { name: 'skopeo', program: 'skopeo', package: 'skopeo' },
  { name: 'podman', program: 'podman', package: 'podman', also: ['conmon', 'crun'] },
  { name: 'umoci', program: 'umoci', package: 'umoci' },
  { name: 'busybox', program: 'busybox', package: 'busybox-static', isStatic: true },
  { name: 'etcd', program: 'etcd', package: 'etcd-server' },
  { name: 'containerd', program: 'containerd', package: 'containerd', also: ['runc'] },
];
