/**
 * A real node for a real control plane: a kubelet, containerd and runc, whose pods are processes of this machine. It has the
 * test's network namespace to itself, so it can use addresses and ports like a node; `make test-node` creates it. Without
 * kube-proxy and DNS: pods reach the API server, and what {@link Node.expose} makes available.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import path from 'node:path';
import { Daemon } from '../cluster/daemon.ts';
import { programs } from '../cluster/programs.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { Workdir } from '../e2e/program.ts';
import { until } from '../until.ts';

const NAME = 'node-1';
/** The Service `kubernetes`, the first address of the control plane's Services. */
const API_ADDRESS = '10.0.0.1';
/** The address of the node, and of servers that the test provides to pods. */
export const HOST = '10.1.0.1';
const POD_NETWORK = '10.244.0.0/24';

/** Adds the addresses to the test's own network namespace. */
function takeAddresses(): void {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  for (const address of [API_ADDRESS, HOST]) execFileSync('ip', ['address', 'add', `${address}/32`, 'dev', 'lo']);
}

export class Node implements AsyncDisposable {
  readonly plane: ControlPlane;
  readonly #bin = programs('test-node');
  readonly #workdir: Workdir;
  readonly #daemons: Daemon[] = [];
  readonly #servers: Server[] = [];

  private constructor(plane: ControlPlane, workdir: Workdir) {
    this.plane = plane;
    this.#workdir = workdir;
  }

  /** Starts a node with its own control plane; resolves when the node is ready. */
  static async start(): Promise<Node> {
    takeAddresses();
    const plane = await startControlPlane({
      pods: 'elsewhere',
      // Pods get a token for their account, as in every cluster.
      apiServerFlags: {
        'disable-admission-plugins': '',
        'advertise-address': HOST,
        'kubelet-preferred-address-types': 'InternalIP',
      },
    });
    const node = new Node(plane, await Workdir.make());
    try {
      await node.#start();
      return node;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Makes a port of 127.0.0.1 reachable by pods at the same port of {@link HOST}. */
  async expose(port: number): Promise<void> {
    await this.#forward(HOST, port, port);
  }

  /** Loads an archive of `docker save`. */
  loadImage(archive: string): void {
    this.#ctr('--namespace', 'k8s.io', 'images', 'import', archive);
  }

  /** A volume on this node that supports a pod's `fsGroup`. */
  async addVolume(name: string): Promise<void> {
    const folder = this.#workdir.file(`volumes/${name}`);
    await mkdir(folder, { recursive: true });
    const isHere = { key: 'kubernetes.io/hostname', operator: 'In', values: [NAME] };
    await this.plane.apply([
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name },
        spec: {
          capacity: { storage: '2Gi' },
          accessModes: ['ReadWriteOnce'],
          local: { path: folder },
          nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [isHere] }] } },
        },
      },
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const [containerd, kubelet] = this.#daemons;
    await kubelet?.kill();
    if (containerd?.running === true) this.#endContainers();
    await containerd?.kill();
    for (const server of this.#servers) server.close();
    await this.plane[Symbol.asyncDispose]();
    await this.#unmount();
    await this.#workdir[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    await this.#forward(API_ADDRESS, 443, Number(new URL(this.plane.url).port));
    this.#run('containerd', ['--config', await this.#containerdConfig()]);
    await until('containerd', () => {
      try {
        return this.#ctr('version') !== '';
      } catch {
        return false;
      }
    });
    const { kubeconfig } = await this.plane.access();
    const kubelet = this.#run('kubelet', [
      `--config=${await this.#kubeletConfig()}`,
      `--kubeconfig=${kubeconfig}`,
      `--root-dir=${this.#workdir.file('kubelet')}`,
      `--cert-dir=${this.#workdir.file('kubelet-certs')}`,
      `--hostname-override=${NAME}`,
      `--node-ip=${HOST}`,
    ]);
    try {
      await until('the node', async () => {
        const seen = await this.plane.kubectl('get', 'node', NAME, '--ignore-not-found');
        return /\bReady\b/.test(seen);
      });
    } catch (cause) {
      throw new Error(`${String(cause)}\n${await kubelet.lastWords()}`, { cause });
    }
  }

  /** Written by hand, since JSON is not TOML. */
  async #containerdConfig(): Promise<string> {
    const network = {
      cniVersion: '1.0.0',
      name: 'pods',
      plugins: [
        {
          type: 'ptp',
          ipam: {
            type: 'host-local',
            ranges: [[{ subnet: POD_NETWORK }]],
            routes: [{ dst: '0.0.0.0/0' }],
            dataDir: this.#workdir.file('addresses'),
          },
        },
      ],
    };
    await mkdir(this.#workdir.file('cni'));
    await this.#workdir.write('cni/10-pods.conflist', JSON.stringify(network));
    return this.#workdir.write(
      'containerd.toml',
      `version = 3
root = '${this.#workdir.file('containerd')}'
state = '${this.#workdir.file('containerd-state')}'
[grpc]
address = '${this.#socket}'
[ttrpc]
address = '${this.#socket}.ttrpc'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = 'localhost/pause:1'
[plugins.'io.containerd.cri.v1.runtime']
disable_apparmor = true
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['${this.#bin}']
conf_dir = '${this.#workdir.file('cni')}'
use_internal_loopback = true
`,
    );
  }

  /** Without control groups per pod and QoS class, and without evictions: it is a test machine. */
  #kubeletConfig(): Promise<string> {
    const config = {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      containerRuntimeEndpoint: `unix://${this.#socket}`,
      cgroupDriver: 'cgroupfs',
      cgroupsPerQOS: false,
      enforceNodeAllocatable: [],
      failCgroupV1: false,
      failSwapOn: false,
      resolvConf: '',
      // Nobody answers there, but without an address each pod would cause a warning.
      clusterDNS: ['10.0.0.10'],
      authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
      authorization: { mode: 'AlwaysAllow' },
      evictionHard: {
        'memory.available': '1Mi',
        'nodefs.available': '0%',
        'imagefs.available': '0%',
        'nodefs.inodesFree': '0%',
      },
    };
    return this.#workdir.write('kubelet.json', JSON.stringify(config));
  }

  get #socket(): string {
    return this.#workdir.file('containerd.sock');
  }

  /** Their processes would end with the test's namespace, but their control groups would stay. */
  #endContainers(): void {
    for (const id of this.#ctr('--namespace', 'k8s.io', 'task', 'list', '--quiet').split('\n').filter(Boolean)) {
      this.#ctr('--namespace', 'k8s.io', 'task', 'delete', '--force', id);
    }
  }

  /** Unmounts the file systems of its containers. */
  async #unmount(): Promise<void> {
    const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
    const own = mounts.filter((mount) => mount.startsWith(`${this.#workdir.path}/`));
    for (const mount of own.toReversed()) execFileSync('umount', ['--lazy', mount]);
  }

  #ctr(...args: readonly string[]): string {
    return execFileSync(path.join(this.#bin, 'ctr'), ['--address', this.#socket, ...args], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  }

  #run(name: string, args: readonly string[]): Daemon {
    // containerd searches the PATH for its shim, kubelet and containerd for mount(8) and runc.
    const daemon = new Daemon(path.join(this.#bin, name), args, this.#workdir.path, {
      PATH: `${this.#bin}:${process.env['PATH'] ?? ''}`,
    });
    this.#daemons.push(daemon);
    return daemon;
  }

  async #forward(host: string, port: number, to: number): Promise<void> {
    const server = createServer((incoming) => {
      const outgoing = connect(to, '127.0.0.1');
      for (const socket of [incoming, outgoing]) socket.on('error', () => undefined);
      incoming.pipe(outgoing).pipe(incoming);
      incoming.on('close', () => outgoing.destroy());
      outgoing.on('close', () => incoming.destroy());
    }).listen(port, host);
    this.#servers.push(server);
    await once(server, 'listening');
  }
}
