/** Who was turned away, for messages. */
export interface Account {
  /** As people write it. */
  readonly registry: string;
  /** Where the credentials came from; undefined for an anonymous reader. */
  readonly from: string | undefined;
}

/** What to do about access that was denied. `account` is absent where nobody would have been let in by signing in. */
export function deniedHint(url: URL, account: Account | undefined): string {
  const advice = account ? `, or ${loginAdvice(account.registry)}` : '';
  if (account?.from !== undefined)
    return `it does not take the credentials from ${account.from}: look at the name${advice}`;
  if (/(^|\.)docker\.io$/.test(url.hostname))
    return `Docker Hub answers so for a repository that does not exist, too: look at the name${advice}`;
  return `look at the name${advice}; some registries answer so for a repository that does not exist, too`;
}

function loginAdvice(registry: string): string {
  return `sign in with layerpull login${registry === 'docker.io' ? '' : ` ${registry}`}`;
}
