/** An HTTP answer before it is written. */
export interface WireReply {
  readonly status: number;
  readonly body: object;
}
