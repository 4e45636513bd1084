import { createFleet, type Fleet, total } from '../../lock/machine/fleet.ts';
import { layer } from '../../lock/machine/support.ts';

export const stepMs = 250;
/** Bytes are counted in so many pieces. */
export const pieces = 50;
/** Steps: between heartbeats, before a question is asked once more, and before one begins again. */
const [beatEvery, askEvery, restartPause] = [4, 4, 6];

export interface ReaderSetup {
  /** Pieces that it reads in one step. */
  readonly rate: number;
  /** Steps that it takes to find out whether its bytes are right. */
  readonly verifying: number;
  /** At which step it comes. */
  readonly startsAt: number;
}

interface Reader extends ReaderSetup {
  readonly name: string;
  /** Whether each piece that it has is right. */
  bytes: boolean[];
  givers: Set<string>;
  life: 'new' | 'pulling' | 'done' | 'failed';
  hadRelay: boolean;
  restarts: number;
  /** The liar that it found out, until it has said so. */
  liar: string | undefined;
  isAsking: boolean;
  /** It does nothing until this step. */
  restsUntil: number;
  verifiedAt: number | undefined;
}

/** Nodes that pull beside some that are complete and wrong, and a registry that is right or wrong. */
export class FleetWithLiars {
  readonly fleet: Fleet = createFleet();
  readonly readers: readonly Reader[];
  readonly #liars: readonly string[];
  readonly #isRegistryRight: boolean;
  /** Pieces that the registry gave. */
  asked = 0;
  /** Of the registry at once. */
  mostReaders = 0;
  #now = 0;

  constructor(setups: readonly ReaderSetup[], liars: number, isRegistryRight = true) {
    this.#isRegistryRight = isRegistryRight;
    this.#liars = Array.from({ length: liars }, (_, at) => `liar${at}`);
    this.readers = setups.map((setup, at) => ({
      ...{ ...setup, name: `n${at}`, bytes: [], givers: new Set(), life: 'new', hadRelay: false },
      ...{ restarts: 0, liar: undefined, isAsking: false, restsUntil: 0, verifiedAt: undefined },
    }));
    this.fleet.join(...this.#liars, ...this.readers.map(({ name }) => name));
    for (const liar of this.#liars) this.fleet.say(liar, { announce: { add: [layer] } });
  }

  get isOver(): boolean {
    return this.readers.every(({ life }) => life === 'done' || life === 'failed');
  }

  step(): void {
    this.#now += 1;
    this.fleet.rig.pass(stepMs);
    if (this.#now % beatEvery === 0) this.#beat();
    for (const reader of this.readers) this.#turn(reader);
    const isAtRegistry = ({ life, name }: Reader) =>
      life === 'pulling' && this.fleet.source(name) === 'registry';
    this.mostReaders = Math.max(this.mostReaders, this.readers.filter(isAtRegistry).length);
  }

  #beat(): void {
    for (const liar of this.#liars) this.fleet.say(liar, {});
    for (const reader of this.readers) {
      if (reader.life === 'pulling') this.fleet.at(reader.name, offsetOf(reader));
      else this.fleet.say(reader.name, {});
    }
  }

  #turn(reader: Reader): void {
    if (reader.life === 'new' && reader.startsAt <= this.#now) {
      reader.life = 'pulling';
      this.fleet.pull(reader.name);
    }
    if (reader.life !== 'pulling' || reader.restsUntil > this.#now) return;
    if (reader.isAsking) this.#ask(reader);
    else if (reader.bytes.length < pieces) this.#read(reader);
    else this.#verify(reader);
  }

  #read(reader: Reader): void {
    const source = this.fleet.source(reader.name);
    const peer = this.readers.find(({ name }) => name === source);
    const reached = Math.min(peer?.bytes.length ?? pieces, reader.bytes.length + reader.rate);
    const isRelay = peer?.life === 'pulling';
    if (reached <= reader.bytes.length || (isRelay && reader.restarts > 1)) {
      reader.isAsking = true;
      return;
    }
    reader.givers.add(source);
    reader.hadRelay ||= isRelay;
    for (let at = reader.bytes.length; at < reached; at += 1) {
      reader.bytes.push(peer ? peer.bytes[at] === true : source === 'registry' && this.#isRegistryRight);
      if (source === 'registry') this.asked += 1;
    }
  }

  #ask(reader: Reader): void {
    const { name, restarts, liar } = reader;
    const isNew = reader.bytes.length === 0 && (restarts > 0 || liar !== undefined);
    const answer = isNew
      ? this.fleet.again(name, { restarts, ...(liar === undefined ? {} : { liar }) })
      : this.fleet.ask(name, offsetOf(reader));
    reader.liar = undefined;
    if (answer === 'wait') reader.restsUntil = this.#now + askEvery;
    else reader.isAsking = false;
  }

  #verify(reader: Reader): void {
    reader.verifiedAt ??= this.#now + reader.verifying;
    if (reader.verifiedAt > this.#now) return;
    reader.verifiedAt = undefined;
    if (reader.bytes.every((isRight) => isRight)) {
      reader.life = 'done';
      this.fleet.done(reader.name);
    } else {
      this.#beginAgain(reader);
    }
  }

  #beginAgain(reader: Reader): void {
    const [only = ''] = reader.givers;
    if (reader.givers.size === 1 && only === 'registry') {
      reader.life = 'failed';
      this.fleet.fail(reader.name, 'content');
      return;
    }
    const isProof = reader.givers.size === 1 && this.#liars.includes(only);
    if (isProof) reader.liar = only;
    else reader.restsUntil = this.#now + restartPause;
    if (reader.hadRelay) reader.restarts += 1;
    Object.assign(reader, { bytes: [], givers: new Set(), hadRelay: false, isAsking: true });
  }
}

function offsetOf({ bytes }: Reader): number {
  return (bytes.length / pieces) * total;
}
