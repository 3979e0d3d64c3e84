/** RTP counts video at 90 kHz (RFC 6184 and its kin). */
const TICKS_PER_MS = 90;
/** Seconds from 1900, where NTP begins, to 1970. */
const NTP_EPOCH_S = 2_208_988_800;
const SENDER_REPORT = 200;
const REMEMBERED = 600;

/**
 * What an RTSP session's packets say about the sender's clock. An RTCP sender report pairs a moment
 * of the sender's wall clock with an RTP timestamp (RFC 3550, 6.4.1).
 */
export class SenderClock {
  #base: number | undefined;
  #candidates: number[] = [];
  #seen: number[] = [];
  #report: { readonly wallMs: number; readonly rtp: number } | undefined;

  /** Where FFmpeg may count from: the `rtptime` of the PLAY response. */
  playedFrom(rtp: number): void {
    this.#candidates.push(rtp);
  }

  rtpPacket(packet: Buffer): void {
    if (packet.length < 12) return;
    const rtp = packet.readUInt32BE(4);
    if (this.#seen.length === 0) this.#candidates.push(rtp);
    if (this.#seen.at(-1) === rtp) return;
    this.#seen.push(rtp);
    if (this.#seen.length > REMEMBERED) this.#seen.shift();
  }

  rtcpPacket(packet: Buffer): void {
    if (packet.length < 20 || packet[1] !== SENDER_REPORT) return;
    const seconds = packet.readUInt32BE(8) - NTP_EPOCH_S + packet.readUInt32BE(12) / 2 ** 32;
    this.#report = { wallMs: seconds * 1000, rtp: packet.readUInt32BE(16) };
  }

  /** The sender's wall clock at a presentation time; undefined before its first report. */
  wallMs(ptsMs: number): number | undefined {
    const ticks = Math.round(ptsMs * TICKS_PER_MS);
    this.#base ??= this.#candidates.find((base) => this.#seen.includes((base + ticks) >>> 0));
    if (this.#base === undefined || this.#report === undefined) return undefined;
    const since = (this.#base + ticks - this.#report.rtp) | 0;
    return this.#report.wallMs + since / TICKS_PER_MS;
  }
}
