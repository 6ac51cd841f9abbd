import type { HealthOptions } from './options/health.ts';

/** The `config` object of an OCI or Docker image configuration: what a container of the image starts from. */
export interface ImageRunConfig {
  User?: string;
  /** Keys as `80/tcp`. */
  ExposedPorts?: Record<string, object>;
  Env?: string[] | null;
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  /** Keys are paths at which a container gets a volume of its own. */
  Volumes?: Record<string, object> | null;
  WorkingDir?: string;
  Labels?: Record<string, string> | null;
  StopSignal?: string;
  Healthcheck?: HealthOptions;
}
