import type { ModelAnswer } from './model.ts';
import type { Hold, ModelState } from './model-state.ts';
import type { Answer, News, Operation, Place, Request, Standing } from './operations.ts';

/** `#7 session a: acquire pull (r1) -> granted under 12 [1003.1, 1004.9]` */
export function describeOperation({ id, who, request, answer, calledMs, returnedMs }: Operation): string {
  const outcome = request.kind === 'told' ? '' : ` -> ${answer ? describeAnswer(answer) : 'no answer'}`;
  const until = Number.isFinite(returnedMs) ? returnedMs.toFixed(1) : 'never';
  return `#${id} ${who}: ${describeRequest(request)}${outcome} [${calledMs.toFixed(1)}, ${until}]`;
}

function describeRequest(request: Request): string {
  switch (request.kind) {
    case 'acquire':
      return `acquire ${request.type} (${request.requestId})${request.force ? ', forced' : ''}`;
    case 'release':
      return `release ${request.type} ${under(request.token)} as ${request.ended}`;
    case 'decline':
      return `decline ${request.type} ${under(request.token)}`;
    case 'renew':
      return `renew ${request.held.map(({ type, token }) => `${type} ${under(token)}`).join(', ')}`.trim();
    case 'told':
      return `was told: ${describeNews(request.news)}`;
    default:
      return request.kind;
  }
}

function describeNews(news: News): string {
  if (news.kind === 'snapshot') return `snapshot of ${describeStanding(news.standing)}`;
  if (news.kind === 'granted' || news.kind === 'revoked')
    return `${news.kind} ${news.type} ${under(news.token)}`;
  return `${news.kind} ${news.type}`;
}

const under = (token: number | undefined) => (token === undefined ? 'without a token' : `under ${token}`);

export function describeAnswer(answer: Answer): string {
  if (answer.kind === 'granted') return `granted ${under(answer.token)}`;
  if (answer.kind === 'queued') return describePlace(answer);
  return answer.kind === 'standing' ? describeStanding(answer.standing) : answer.kind;
}

export function describeModelAnswer(answer: ModelAnswer): string {
  if (answer.kind === 'granted') return `granted under ${answer.token ?? 'a new token'}`;
  if (answer.kind === 'queued') return describePlace(answer);
  if (answer.kind !== 'standing') return answer.kind;
  const { holds, queued } = answer;
  return list([...(holds ? [`${holds.type} held ${tokenOf(holds)}`] : []), ...queued.map(describeWaiting)]);
}

function describePlace({ position, holder }: Omit<Place, 'type'>): string {
  return `queued at ${position} behind ${holder ?? 'nobody'}`;
}

const describeWaiting = (place: Place) => `${place.type} ${describePlace(place)}`;

function describeStanding({ granted, queued }: Standing): string {
  return list([
    ...granted.map(({ type, token }) => `${type} held under ${token}`),
    ...queued.map(describeWaiting),
  ]);
}

const list = (parts: readonly string[]) => (parts.length > 0 ? parts.join(', ') : 'nothing');

const tokenOf = ({ token }: Hold) => (token === undefined ? 'under a token not told yet' : `under ${token}`);

/** `held by session a for a pull under 12; waiting: session b (pull)` */
export function describeState({ holder, queue, done }: ModelState): string {
  const held = holder ? `held by ${holder.who} for ${holder.type} ${tokenOf(holder)}` : 'held by nobody';
  const waiting =
    queue.length > 0 ? `; waiting: ${queue.map(({ who, type }) => `${who} (${type})`).join(', ')}` : '';
  return `${held}${waiting}${done ? '; pulled before' : ''}`;
}
