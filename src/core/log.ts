/** Where a part reports what people may want to know later. pino satisfies it. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Drops everything: the default wherever a log is optional. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
