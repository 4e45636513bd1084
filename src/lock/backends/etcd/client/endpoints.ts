/**
 * Members of etcd as messages name them: `h1:2379, h2:2379`. Whatever stands around host and port, such as a user with
 * a password, is left out.
 */
export function describeEndpoints(endpoints: readonly string[]): string {
  return endpoints.map(hostAndPort).join(', ');
}

function hostAndPort(endpoint: string): string {
  const behindUser = endpoint.slice(endpoint.lastIndexOf('@') + 1);
  const [authority = ''] = behindUser.replace(/^[a-z][a-z\d+.-]*:\/\//i, '').split(/[/?#]/);
  return authority;
}
