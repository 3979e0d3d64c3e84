import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SenderClock } from '../../../runtime/camera/sender-clock.js';

function rtp(timestamp: number): Buffer {
  const packet = Buffer.alloc(12);
  packet.writeUInt32BE(timestamp >>> 0, 4);
  return packet;
}

/** RFC 3550, 6.4.1: NTP counts from 1900 in seconds and 2⁻³² of them. */
function senderReport(unixMs: number, timestamp: number): Buffer {
  const packet = Buffer.alloc(28);
  packet[0] = 0x80;
  packet[1] = 200;
  packet.writeUInt32BE(Math.floor(unixMs / 1000) + 2_208_988_800, 8);
  packet.writeUInt32BE(Math.floor(((unixMs % 1000) / 1000) * 2 ** 32), 12);
  packet.writeUInt32BE(timestamp >>> 0, 16);
  return packet;
}

const NOON = 1_767_268_800_000;

describe("a sender's clock", () => {
  it('is known from its first report on, before and after that report', () => {
    const clock = new SenderClock();
    for (let i = 0; i < 10; i++) clock.rtpPacket(rtp(5000 + i * 3000));
    expect(clock.wallMs(0)).toBeUndefined();
    clock.rtcpPacket(senderReport(NOON, 5000 + 90_000));
    expect(clock.wallMs(0)).toBeCloseTo(NOON - 1000, 3);
    expect(clock.wallMs(2500)).toBeCloseTo(NOON + 1500, 3);
  });

  it('goes on over the wrap of RTP timestamps, for days', () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 32 - 1),
        fc.integer({ min: 0, max: 3 * 86_400_000 }),
        (base, atMs) => {
          const clock = new SenderClock();
          clock.rtpPacket(rtp(base));
          clock.rtcpPacket(senderReport(NOON, base));
          expect(clock.wallMs(0)).toBeCloseTo(NOON, 3);
          // A report every few seconds keeps the two timestamps within half a turn of each other.
          clock.rtcpPacket(senderReport(NOON + atMs, base + atMs * 90));
          expect(clock.wallMs(atMs + 40)).toBeCloseTo(NOON + atMs + 40, 3);
        },
      ),
    );
  });

  it('counts from the time PLAY names only where the pictures do', () => {
    const clock = new SenderClock();
    clock.playedFrom(900_000);
    for (let i = 0; i < 5; i++) clock.rtpPacket(rtp(100 + i * 3000));
    clock.rtcpPacket(senderReport(NOON, 100));
    expect(clock.wallMs(3000 / 90)).toBeCloseTo(NOON + 3000 / 90, 2);
  });

  it('ignores packets that are too short or no reports', () => {
    const clock = new SenderClock();
    clock.rtpPacket(Buffer.alloc(3));
    clock.rtpPacket(rtp(7));
    clock.rtcpPacket(Buffer.alloc(8, 200));
    clock.rtcpPacket(Buffer.alloc(28, 201));
    expect(clock.wallMs(0)).toBeUndefined();
  });
});
