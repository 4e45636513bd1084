/** What a registry is shown by somebody it knows. Only `from` may get into a message: it says where this was found. */
export type Credential = SecretOfUser | RegistryToken;

/** What somebody signs in with, and what is kept of it. */
export type SecretOfUser = PasswordCredential | IdentityCredential;

export interface PasswordCredential {
  readonly kind: 'password';
  readonly username: string;
  readonly password: string;
  readonly from: string;
}

/** A refresh token: it gets other tokens (docker's `identitytoken`). */
export interface IdentityCredential {
  readonly kind: 'identity';
  /** Empty where nobody said. */
  readonly username: string;
  readonly token: string;
  readonly from: string;
}

/** A bearer token as it stands (docker's `registrytoken`). */
export interface RegistryToken {
  readonly kind: 'registry';
  readonly token: string;
  readonly from: string;
}

/** Where credentials come from. */
export interface Credentials {
  /**
   * The credentials for a repository, undefined where there are none. Looked for anew each time: helpers give some that
   * do not last.
   *
   * @param registry as people write it: `docker.io`, `registry.example:5000`
   * @throws LayerpullError `credentials_unusable` for a source that was named and cannot be read; `signal.reason`
   */
  find(registry: string, repository: string, signal: AbortSignal): Promise<Credential | undefined>;
}

/** An anonymous reader. */
export const noCredentials: Credentials = { find: async () => undefined };

/** `Authorization` of the Basic scheme (RFC 7617), in UTF-8. */
export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
