import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { readContainerdConfig } from '../../src/containerd/config-file.ts';
import { checkContainerdConfig } from '../../src/doctor/containerd-config.ts';
import { reportMissing } from '../support/components.ts';
import {
  commandLines,
  deployFiles,
  readDeployFile,
  readResources,
  readUnit,
} from '../support/deploy-files.ts';
import { inRoot } from '../support/root.ts';
import { tempDir } from '../support/temp.ts';

const units = [
  'etcd/etcd@.service',
  'etcd/layerpull-lock@.service',
  'systemd/layerpull-agent.service',
  'systemd/layerpull-content.service',
  'systemd/layerpull-lock.service',
];
const manifests = ['kubernetes/agent.yaml', 'kubernetes/lock-server.yaml'];
const workloads = new Set(['DaemonSet', 'Deployment']);

/** Where agents of these files let clients of their node in. */
const mirror = '127.0.0.1:5001';

function isOnPath(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('the files in examples/deploy', () => {
  it('are all checked here', () => {
    expect(deployFiles()).toEqual([
      'Containerfile',
      'containerd/config.toml',
      'containerd/hosts.toml',
      'docker/daemon.json',
      'etcd/compose.yaml',
      'etcd/etcd.env',
      'etcd/etcd@.service',
      'etcd/layerpull-lock@.service',
      'etcd/lock.env',
      ...manifests,
      'podman/registries.conf',
      'systemd/agent.env',
      'systemd/layerpull-agent.service',
      'systemd/layerpull-content.service',
      'systemd/layerpull-lock.service',
    ]);
  });

  it('start an agent that serves the mirror which they tell clients of, and a lock server', () => {
    const files = ['kubernetes/agent.yaml', 'systemd/layerpull-agent.service'];
    for (const file of files) expect(readDeployFile(file)).toMatch(/--registry-addr[= ]127\.0\.0\.1:5001/);
    expect(commandLines().map(({ file, command }) => `${file} ${command}`)).toEqual([
      'etcd/compose.yaml serve',
      'etcd/compose.yaml serve',
      'etcd/compose.yaml serve',
      'etcd/layerpull-lock@.service serve',
      'kubernetes/agent.yaml agent',
      'kubernetes/lock-server.yaml serve',
      'systemd/layerpull-agent.service agent',
      'systemd/layerpull-content.service content-plugin',
      'systemd/layerpull-lock.service serve',
    ]);
  });
});

describe('the configuration of clients', () => {
  it('is TOML for containerd, with a host that serves tags and digests', () => {
    expect(parseToml(readDeployFile('containerd/hosts.toml'))).toEqual({
      host: { [`http://${mirror}`]: { capabilities: ['pull', 'resolve'] } },
    });
  });

  it('has containerd keep its content with the plugin of the unit, and nowhere else', async () => {
    const config = await readContainerdConfig(inRoot('examples', 'deploy', 'containerd', 'config.toml'));
    const { value } =
      readUnit('systemd/layerpull-content.service').find(({ name }) => name === 'ExecStart') ?? {};
    const socket = /--socket (\S+)/
      .exec(value ?? '')?.[1]
      ?.replace(/^\$\{RUNTIME_DIRECTORY\}/, '/run/layerpull');
    const [finding, ...others] = checkContainerdConfig(config, socket);
    expect([finding?.verdict, others]).toEqual(['ok', []]);
  });

  it('is TOML for podman, with the registry as the path of its mirror', () => {
    const names = ['docker.io', 'ghcr.io', 'quay.io', 'registry.k8s.io'];
    expect(parseToml(readDeployFile('podman/registries.conf'))).toEqual({
      registry: names.map((name) => ({
        prefix: name,
        location: name,
        mirror: [{ location: `${mirror}/${name}`, insecure: true }],
      })),
    });
  });

  it('is JSON for docker', () => {
    expect(JSON.parse(readDeployFile('docker/daemon.json'))).toEqual({
      'registry-mirrors': [`http://${mirror}`],
    });
  });
});

describe.each(units)('the unit %s', (file) => {
  const settings = readUnit(file);
  const valuesOf = (name: string) => settings.filter((one) => one.name === name).map(({ value }) => value);

  it('has settings in sections that systemd has', () => {
    expect([...new Set(settings.map(({ section }) => section))]).toEqual(['Unit', 'Service', 'Install']);
  });

  it('sets every variable of its command line', () => {
    const known = [
      ...(valuesOf('StateDirectory').length === 1 ? ['STATE_DIRECTORY'] : []),
      ...(valuesOf('RuntimeDirectory').length === 1 ? ['RUNTIME_DIRECTORY'] : []),
      ...(valuesOf('LoadCredential').length === 1 ? ['CREDENTIALS_DIRECTORY'] : []),
      ...valuesOf('EnvironmentFile').flatMap((path) => variablesOf(environmentFiles[path] ?? path)),
    ];
    const used = [
      ...valuesOf('ExecStart')
        .join(' ')
        .matchAll(/\$\{?(\w+)/g),
    ].map(([, name]) => name);
    expect(known).toEqual(expect.arrayContaining(used));
  });
});

/** What stands in the units, and the file here that goes there. */
const environmentFiles: Readonly<Record<string, string>> = {
  '/etc/layerpull/agent.env': 'systemd/agent.env',
  '/etc/layerpull/etcd.env': 'etcd/etcd.env',
  '/etc/layerpull/lock-%i.env': 'etcd/lock.env',
};

function variablesOf(file: string): string[] {
  const lines = readDeployFile(file).split('\n');
  const settings = lines.filter((line) => line !== '' && !line.startsWith('#'));
  return settings.map((line) => {
    const name = /^([A-Z_]+)=\S+$/.exec(line)?.[1];
    if (name === undefined) throw new Error(`${file}: not a variable: ${line}`);
    return name;
  });
}

if (!isOnPath('systemd-analyze')) reportMissing('systemd-analyze is missing: it is not on PATH');

describe.runIf(isOnPath('systemd-analyze'))('systemd', () => {
  it.each(units)('takes %s', (file) => {
    const copy = path.join(tempDir(), path.basename(file));
    // It looks whether the program is there.
    writeFileSync(
      copy,
      readDeployFile(file).replace(/=\/usr\/(local\/bin\/layerpull|bin\/etcd) /, `=${process.execPath} `),
    );
    const said = execFileSync('sh', ['-c', 'systemd-analyze verify "$0" 2>&1', copy], { encoding: 'utf8' });
    expect(said).toBe('');
  });
});

describe.each(manifests)('the Kubernetes file %s', (file) => {
  const resources = readResources(file);

  it('has resources with a version, a kind, a name and one namespace', () => {
    for (const resource of resources) {
      expect(resource.text('apiVersion')).toMatch(/^(apps\/)?v1$/);
      expect(resource.text('kind')).toMatch(/^(Service|PersistentVolumeClaim|Deployment|DaemonSet)$/);
      expect(resource.text('metadata.name')).toMatch(/^layerpull-[a-z]+$/);
      expect(resource.text('metadata.namespace')).toBe('layerpull');
    }
  });

  it.each(resources.filter((one) => workloads.has(one.text('kind'))))(
    'fits together in workload %#',
    (workload) => {
      const labels = workload.at('spec.template.metadata.labels').value;
      expect(workload.at('spec.selector.matchLabels').value).toEqual(labels);
      const volumes = workload.list('spec.template.spec.volumes').map((volume) => volume.text('name'));
      const [container] = workload.list('spec.template.spec.containers');
      const mounts = container?.list('volumeMounts').map((mount) => mount.text('name'));
      expect(mounts?.toSorted()).toEqual(volumes.toSorted());
      const { version } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
      expect(container?.text('image')).toBe(`registry.example/layerpull:${version}`);
    },
  );
});

describe('the service of the lock server', () => {
  const [service, , deployment] = readResources('kubernetes/lock-server.yaml');

  it('leads to its pods and to a port that they have', () => {
    expect(service?.at('spec.selector').value).toEqual(deployment?.at('spec.template.metadata.labels').value);
    const [container] = deployment?.list('spec.template.spec.containers') ?? [];
    const named = container?.list('ports').map((port) => port.text('name'));
    expect(service?.list('spec.ports').map((port) => port.text('targetPort'))).toEqual(named);
  });

  it('is where the agents look for it', () => {
    const name = `${service?.text('metadata.name')}.${service?.text('metadata.namespace')}.svc`;
    const port = service?.list('spec.ports')[0]?.at('port').value;
    expect(readDeployFile('kubernetes/agent.yaml')).toContain(`--server=http://${name}:${port}\n`);
  });
});

describe('the Containerfile', () => {
  it('has instructions that builders know, and brings a Node that layerpull runs on', () => {
    const lines = readDeployFile('Containerfile').split('\n');
    const instructions = lines.filter((line) => line !== '' && !line.startsWith('#'));
    expect(instructions.map((line) => line.split(' ')[0])).toEqual(['FROM', 'COPY', 'RUN', 'ENTRYPOINT']);
    expect(instructions[0]).toMatch(/^FROM docker\.io\/library\/node:(2[2-9])-/);
    expect(JSON.parse(instructions[3]?.replace('ENTRYPOINT ', '') ?? '')).toEqual(['layerpull']);
  });
});
