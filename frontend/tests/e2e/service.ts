import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../../..");
const PYTHON = process.env.AUTOTUNER_PYTHON ?? join(ROOT, ".venv/bin/python");

interface Said {
  address: string;
  page: string;
}

/** A real `autotuner serve` with its worker, on a free port and with a data folder of its own. */
export class Service {
  private process: ChildProcess | null = null;
  private said: Said = { address: "", page: "" };

  private constructor(private readonly folder: string) {}

  /** Start one. `experiments`: of a finished task that its store has before; 0: the folder is empty. */
  static async start(experiments: number): Promise<Service> {
    const service = new Service(await mkdtemp(join(tmpdir(), "autotuner-pages-")));
    if (experiments > 0) service.fill(experiments);
    await service.up("0");
    return service;
  }

  get address(): string {
    return this.said.address;
  }

  /** The address that signs a browser in. */
  get page(): string {
    return this.said.page;
  }

  /** End it as Ctrl-C does. */
  async down(): Promise<void> {
    const { process } = this;
    this.process = null;
    if (!process || process.exitCode !== null) return;
    const ended = once(process, "exit");
    process.kill("SIGINT");
    const late = setTimeout(() => process.kill("SIGKILL"), 60_000);
    await ended;
    clearTimeout(late);
  }

  /** Start it again where it was. */
  async upAgain(): Promise<void> {
    await this.up(new URL(this.address).port);
  }

  async end(): Promise<void> {
    await this.down();
    await rm(this.folder, { recursive: true, force: true });
  }

  private get environment(): NodeJS.ProcessEnv {
    return { ...process.env, AUTOTUNER_DATA_DIR: join(this.folder, "data") };
  }

  private fill(experiments: number): void {
    const command = [join(ROOT, "tests/filled_store.py"), "--experiments", String(experiments)];
    const done = spawnSync(PYTHON, command, { env: this.environment, encoding: "utf-8" });
    if (done.status !== 0) throw new Error(`The store cannot be filled: ${done.stdout}${done.stderr}`);
  }

  private async up(port: string): Promise<void> {
    const started = spawn(PYTHON, ["-m", "autotuner", "serve", "--port", port, "--json"], {
      cwd: ROOT,
      env: this.environment,
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.process = started;
    let text = "";
    for await (const part of started.stdout.iterator({ destroyOnReturn: false })) {
      text += part;
      const end = text.indexOf("\n}");
      if (end < 0) continue;
      this.said = JSON.parse(text.slice(text.indexOf("{"), end + 2));
      started.stdout.resume(); // nobody reads what it may say later, and it must not wait for that
      return;
    }
    throw new Error(`The service did not start: ${text}`);
  }
}
