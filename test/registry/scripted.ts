import type { HttpRequest, HttpResponse } from '../../src/http/client.ts';
import type {
  Credential,
  Credentials,
  IdentityCredential,
  PasswordCredential,
} from '../../src/registry/credentials/credentials.ts';

/** What a server says. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | object;
}

/** Answers requests as told, in this process, and keeps them. */
export function createScript(answer: (request: HttpRequest, count: number) => Reply) {
  const sent: HttpRequest[] = [];
  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    sent.push(request);
    const { status = 200, headers = {}, body = '' } = answer(request, sent.length);
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const bytes = async function* () {
      yield Buffer.from(text);
    };
    return { status, headers, body: bytes(), discard: async () => {} };
  };
  return { sent, transport: { send } };
}

export const authorizationOf = (request: HttpRequest | undefined) => request?.headers?.['authorization'];

/** Credentials of one registry, and how often they were asked for. */
export function knowing(registry: string, credential: () => Credential | undefined) {
  const asked: string[] = [];
  const credentials: Credentials = {
    async find(host, repository) {
      asked.push(`${host}/${repository}`);
      return host === registry ? credential() : undefined;
    },
  };
  return { asked, credentials };
}

export const bob: PasswordCredential = {
  kind: 'password',
  username: 'bob',
  password: 'hunter2',
  from: 'the test',
};
export const bobsBasic = `Basic ${Buffer.from('bob:hunter2').toString('base64')}`;
export const identity: IdentityCredential = {
  kind: 'identity',
  username: '',
  token: 'refresh-1',
  from: 'the test',
};
