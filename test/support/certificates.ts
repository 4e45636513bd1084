import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import path from 'node:path';

/** A certificate and its key, both PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Certificate {
  /** A certificate of this authority. */
  issue(options: IssueOptions): Certificate;
}

export interface IssueOptions {
  /** Host names and IPv4 addresses; the first is the common name, too. */
  readonly names: readonly string[];
  /** Default: a day ago. */
  readonly from?: Date;
  /** Default: in a day. */
  readonly until?: Date;
}

const dayMs = 86_400_000;

/**
 * An authority of its own, made without any program (X.509 version 3 as in RFC 5280, in DER by hand, with P-256 and
 * SHA-256).
 */
export function createAuthority(name = 'Test Authority'): Authority {
  const key = newKey();
  const cert = certificate({
    subject: name,
    issuer: name,
    key,
    signer: key,
    extensions: [authorityExtension],
  });
  const issue = ({ names, from, until }: IssueOptions) => {
    const own = newKey();
    const subject = names[0] ?? 'nobody';
    const extensions = [subjectNames(names)];
    const issued = certificate({ subject, issuer: name, key: own, signer: key, extensions, from, until });
    return { cert: issued, key: keyToPem(own) };
  };
  return { cert, key: keyToPem(key), issue };
}

/** Writes `NAME.cert`, `NAME.key` and answers with their paths. */
export function writePair(dir: string, name: string, { cert, key }: Certificate) {
  const certFile = path.join(dir, `${name}.cert`);
  const keyFile = path.join(dir, `${name}.key`);
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  return { certFile, keyFile };
}

interface Parts {
  readonly subject: string;
  readonly issuer: string;
  readonly key: KeyObject;
  readonly signer: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly from?: Date | undefined;
  readonly until?: Date | undefined;
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
}

function keyToPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

let serial = 1;

function certificate(parts: Parts): string {
  const { from = new Date(Date.now() - dayMs), until = new Date(Date.now() + dayMs) } = parts;
  serial += 1;
  const body = sequence(
    der(0xa0, integer(2)),
    integer(serial),
    sequence(ecdsaWithSha256),
    nameOf(parts.issuer),
    sequence(time(from), time(until)),
    nameOf(parts.subject),
    publicKeyOf(parts.key),
    der(0xa3, sequence(...parts.extensions)),
  );
  const signature = sign('sha256', body, parts.signer);
  return toPem(sequence(body, sequence(ecdsaWithSha256), bits(signature)));
}

const ecdsaWithSha256 = objectId('2a8648ce3d040302');
/** basicConstraints, critical, cA. */
const authorityExtension = sequence(objectId('551d13'), boolean(), octets(sequence(boolean())));

/** subjectAltName with dNSName [2] and iPAddress [7]. */
function subjectNames(names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    isIPv4(name) ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name)),
  );
  return sequence(objectId('551d11'), octets(sequence(...entries)));
}

function nameOf(commonName: string): Buffer {
  const value = der(0x0c, Buffer.from(commonName));
  return sequence(der(0x31, sequence(objectId('550403'), value)));
}

function publicKeyOf(key: KeyObject): Buffer {
  const { x = '', y = '' } = createPrivateKey(keyToPem(key)).export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  return sequence(sequence(objectId('2a8648ce3d0201'), objectId('2a8648ce3d030107')), bits(point));
}

function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const sizes = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...sizes]), content]);
}

function sequence(...contents: Buffer[]): Buffer {
  return der(0x30, ...contents);
}

function integer(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return der(2, (bytes[0] ?? 0) > 127 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

function objectId(hex: string): Buffer {
  return der(6, Buffer.from(hex, 'hex'));
}

function boolean(): Buffer {
  return der(1, Buffer.of(255));
}

function octets(content: Buffer): Buffer {
  return der(4, content);
}

function bits(content: Buffer): Buffer {
  return der(3, Buffer.of(0), content);
}

/** UTCTime: `YYMMDDHHMMSSZ`. */
function time(date: Date): Buffer {
  return der(
    0x17,
    Buffer.from(
      `${date
        .toISOString()
        .replace(/[-:T]|\.\d+/g, '')
        .slice(2)}`,
    ),
  );
}

function toPem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
