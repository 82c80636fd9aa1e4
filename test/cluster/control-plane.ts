/**
 * A real control plane for a test: etcd and kube-apiserver, and on request the controllers, the scheduler and kwok, which
 * simulates nodes and their kubelets. Each has its own folder, listens on free ports, and ends with the test.
 * `make control-plane` builds it.
 */
import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Agent, request } from 'undici';
import type { ClusterAccess } from '../e2e/cluster.ts';
import { Daemon } from './daemon.ts';
import { programs } from './programs.ts';
import { until } from '../until.ts';

/** A flag with a list is repeated. */
type Flags = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface ControlPlaneOptions {
  /** Users besides `admin`, without any rights until a role is bound to them. */
  readonly users?: readonly string[];
  /** Run pods: with kube-controller-manager, kube-scheduler, and kwok with a node. `elsewhere`: on nodes that the caller adds. */
  readonly pods?: 'kwok' | 'elsewhere';
  /** More flags for kube-apiserver. */
  readonly apiServerFlags?: Flags;
}

/** One request in the audit log. */
export interface AuditedRequest {
  readonly verb: string;
  readonly uri: string;
  readonly code: number;
}

/** Every request's user, verb, URI and status, once it is answered. */
const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted, Panic]
rules: [{ level: Metadata }]
`;

const KWOK_NODE = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: 'node-1',
    annotations: { 'kwok.x-k8s.io/node': 'fake' },
    labels: { 'kubernetes.io/hostname': 'node-1' },
  },
  status: {
    allocatable: { cpu: '32', memory: '256Gi', pods: '1000' },
    capacity: { cpu: '32', memory: '256Gi', pods: '1000' },
  },
};

/** Starts a control plane; resolves when `/readyz` is ok, and with `pods` when the node is ready. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const plane = await ControlPlane.prepare(options);
  try {
    await plane.start();
    return plane;
  } catch (error) {
    await plane[Symbol.asyncDispose]();
    throw error;
  }
}

export class ControlPlane implements AsyncDisposable {
  readonly url: string;
  readonly #bin = programs('test-cluster');
  readonly #dir: string;
  readonly #ports: Readonly<Record<'etcd' | 'peer' | 'secure', number>>;
  readonly #options: ControlPlaneOptions;
  readonly #daemons = new Map<string, Daemon>();

  private constructor(dir: string, ports: [number, number, number], options: ControlPlaneOptions) {
    const [etcd, peer, secure] = ports;
    this.#dir = dir;
    this.#ports = { etcd, peer, secure };
    this.#options = options;
    this.url = `https://127.0.0.1:${secure}`;
  }

  /** Prepares folder, ports, keys and files; nothing runs yet. */
  static async prepare(options: ControlPlaneOptions): Promise<ControlPlane> {
    const dir = await mkdtemp(path.join(tmpdir(), 'watchchain-control-plane-'));
    const ports = [await freePort(), await freePort(), await freePort()] satisfies [number, number, number];
    const plane = new ControlPlane(dir, ports, options);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await writeFile(plane.file('sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
    await writeFile(plane.file('audit.yaml'), AUDIT_POLICY);
    const users = (options.users ?? []).map((user) => `${tokenOf(user)},${user},${user}\n`);
    await writeFile(plane.file('tokens.csv'), `${tokenOf('admin')},admin,admin,"system:masters"\n${users.join('')}`);
    return plane;
  }

  async start(): Promise<void> {
    const client = `http://127.0.0.1:${this.#ports.etcd}`;
    const peer = `http://127.0.0.1:${this.#ports.peer}`;
    this.#run('etcd', {
      'data-dir': this.file('etcd'),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `default=${peer}`,
      'unsafe-no-fsync': true,
      'log-level': 'error',
    });
    await this.startApiServer();
    if (this.#options.pods !== undefined) await this.#startPods();
    if (this.#options.pods === 'kwok') await this.#startKwok();
  }

  /** Starts kube-apiserver, on the same port as before if restarted; resolves when it is ready. */
  async startApiServer(): Promise<void> {
    const daemon = this.#run('kube-apiserver', {
      'etcd-servers': `http://127.0.0.1:${this.#ports.etcd}`,
      'cert-dir': this.file('certs'),
      'bind-address': '127.0.0.1',
      'secure-port': this.#ports.secure,
      'service-account-key-file': this.file('sa.key'),
      'service-account-signing-key-file': this.file('sa.key'),
      'service-account-issuer': 'https://kubernetes.default.svc',
      'disable-admission-plugins': 'ServiceAccount',
      'token-auth-file': this.file('tokens.csv'),
      'authorization-mode': 'RBAC',
      'service-cluster-ip-range': '10.0.0.0/24',
      'audit-policy-file': this.file('audit.yaml'),
      'audit-log-path': this.file('audit.log'),
      ...this.#options.apiServerFlags,
    });
    await this.#running(daemon, 'kube-apiserver is ready', () => this.#ready());
  }

  /** Like `kill -9`: every watch breaks in mid-stream, without a clean end. */
  async killApiServer(): Promise<void> {
    await this.#daemons.get('kube-apiserver')?.kill();
  }

  /** Makes etcd forget every revision but the newest. A watch cache may still know them: see `--watch-cache=false`. */
  async compact(): Promise<void> {
    const { header } = (await this.#etcd('range', { key: Buffer.from('/').toString('base64') })) as {
      header: { revision: string };
    };
    await this.#etcd('compaction', { revision: header.revision, physical: true });
  }

  /** Access for the tests of `test/e2e`, as the admin or a user. */
  async access(user = 'admin', token = tokenOf(user)): Promise<ClusterAccess> {
    const ca = await readFile(this.file('certs/apiserver.crt'), 'utf8');
    const kubeconfig = this.file(`${user.replaceAll(/[^\w-]/g, '-')}.kubeconfig`);
    // JSON is YAML.
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'real',
          cluster: { server: this.url, 'certificate-authority-data': Buffer.from(ca).toString('base64') },
        },
      ],
      users: [{ name: user, user: { token } }],
      contexts: [{ name: 'real', context: { cluster: 'real', user } }],
      'current-context': 'real',
    };
    await writeFile(kubeconfig, JSON.stringify(config), { mode: 0o600 });
    return { url: this.url, kubeconfig, token, ca };
  }

  /** Runs kubectl as the admin and returns its stdout. Throws with its stderr. */
  kubectl(...args: readonly string[]): Promise<string> {
    return this.#kubectl(args, '');
  }

  /** `kubectl apply --server-side` of manifests, as objects or as YAML. */
  apply(manifests: string | readonly object[], ...args: readonly string[]): Promise<string> {
    const text =
      typeof manifests === 'string' ? manifests : manifests.map((one) => JSON.stringify(one)).join('\n---\n');
    return this.#kubectl(['apply', '--server-side', '-f', '-', ...args], text);
  }

  /** The answered requests of `user` so far, oldest first. */
  async requestsOf(user: string): Promise<readonly AuditedRequest[]> {
    const lines = (await readFile(this.file('audit.log'), 'utf8')).split('\n').filter((line) => line.endsWith('}'));
    const events = lines.map((line) => JSON.parse(line) as AuditEvent);
    return events
      .filter((event) => event.user.username === user)
      .map((event) => ({ verb: event.verb, uri: event.requestURI, code: event.responseStatus?.code ?? 0 }));
  }

  file(name: string): string {
    return path.join(this.#dir, name);
  }

  /** The path of a program that was built with the control plane. */
  program(name: string): string {
    return path.join(this.#bin, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of [...this.#daemons.values()].toReversed()) await daemon.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #startPods(): Promise<void> {
    const { kubeconfig } = await this.access();
    const common = { kubeconfig, 'leader-elect': false, 'secure-port': 0 };
    const keys = {
      'service-account-private-key-file': this.file('sa.key'),
      'root-ca-file': this.file('certs/apiserver.crt'),
    };
    this.#run('kube-controller-manager', { ...common, ...keys });
    this.#run('kube-scheduler', common);
  }

  async #startKwok(): Promise<void> {
    const { kubeconfig } = await this.access();
    const config = (await Promise.all(['node', 'pod'].map((kind) => this.#stages(kind)))).flat();
    const kwok = this.#run('kwok', { kubeconfig, 'manage-all-nodes': true, config });
    await this.apply([KWOK_NODE]);
    await this.#running(kwok, 'the node is ready', async () =>
      /\bReady\b/.test(await this.kubectl('get', 'node', 'node-1')),
    );
  }

  /** kwok's own files for the life cycle of its nodes or pods. */
  async #stages(kind: string): Promise<string[]> {
    const folder = path.join(this.#bin, 'stages', kind);
    const files = await readdir(folder);
    return files.filter((name) => name.startsWith(`${kind}-`)).map((name) => path.join(folder, name));
  }

  #run(name: string, flags: Flags): Daemon {
    const args = Object.entries(flags).flatMap(([flag, value]) => [value].flat().map((one) => `--${flag}=${one}`));
    const daemon = new Daemon(path.join(this.#bin, name), args, this.#dir);
    this.#daemons.set(name, daemon);
    return daemon;
  }

  async #running(daemon: Daemon, what: string, condition: () => Promise<boolean>): Promise<void> {
    try {
      await until(what, async () => {
        if (!daemon.running) throw new Error(`${daemon.name} has ended`);
        return condition().catch(() => false);
      });
    } catch (cause) {
      // It may have failed because of another: etcd, whose port was taken.
      const ended = [...this.#daemons.values()].filter((other) => other !== daemon && !other.running);
      const words = await Promise.all([daemon, ...ended].map(async (one) => `${one.name}:\n${await one.lastWords()}`));
      throw new Error(`${String(cause)}\n${words.join('\n')}`, { cause });
    }
  }

  async #kubectl(args: readonly string[], stdin: string): Promise<string> {
    const { kubeconfig } = await this.access();
    const env = { HOME: this.#dir, KUBECONFIG: kubeconfig };
    const running = promisify(execFile)(path.join(this.#bin, 'kubectl'), args, { env, maxBuffer: 64 * 1024 * 1024 });
    running.child.stdin?.end(stdin);
    return (await running).stdout;
  }

  async #ready(): Promise<boolean> {
    // It signs its own certificate while starting: only readiness is asked without checking it.
    const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
    try {
      const headers = { authorization: `Bearer ${tokenOf('admin')}` };
      const { statusCode } = await request(`${this.url}/readyz`, { dispatcher, headers });
      return statusCode === 200;
    } finally {
      await dispatcher.destroy();
    }
  }

  async #etcd(call: 'range' | 'compaction', body: object): Promise<unknown> {
    const response = await request(`http://127.0.0.1:${this.#ports.etcd}/v3/kv/${call}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    const answer = await response.body.json();
    if (response.statusCode !== 200) throw new Error(`etcd ${call}: ${response.statusCode} ${JSON.stringify(answer)}`);
    return answer;
  }
}

/** The fields of an audit.k8s.io/v1 Event that the tests use. */
interface AuditEvent {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly requestURI: string;
  readonly responseStatus?: { readonly code?: number };
}

function tokenOf(user: string): string {
  return `token-of-${user}`;
}

/**
 * A free port that no connection takes before the program listens, or while it is restarted: it is below the range that Linux and
 * macOS use for connections (from 32768 and 49152 on). These programs cannot report a port chosen by the system.
 */
async function freePort(): Promise<number> {
  const port = randomInt(10_000, 32_768);
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return freePort();
    throw error;
  }
  server.close();
  await once(server, 'close');
  return port;
}
