// Puts the program together again: it comes with like kept next to like, operations here, the numbers that they work on
// there, which packs far better than a module does (xtask/src/parted.rs parts and packs it, and holds this file against it
// at each build). Knows the binary format of functions (WebAssembly core specification, section 5.4), nothing of the page.

import { inflate } from "./lzma.js";

// Where the size of what is packed stands, and its sum: after the head of a module and of a section that no browser reads.
const START = 16;
// The largest that is put together: a size that was spoilt on the way is not made room for.
const ROOM_MAX_BYTES = 1 << 26;
// Which stream holds what; the order is that of xtask/src/parted.rs.
const [OPS, BLOCKS, BRANCHES, TABLES, CALLS, INDIRECT, LOCALS, GLOBALS, ALIGNS, OFFSETS, I32, I64, FLOATS, REST, TYPES] =
  Array(15).keys();

/** The module that `arrived` holds. A TypeError when it did not arrive whole. */
export function unpack(arrived) {
  if (arrived.length < START + 8) throw new TypeError("it is cut short");
  const told = new DataView(arrived.buffer, arrived.byteOffset + START);
  const room = told.getUint32(0, true);
  if (room > ROOM_MAX_BYTES) throw new TypeError("it is spoilt");
  const packed = inflate(arrived, START + 8, room);
  let sum = 0;
  for (const byte of packed) sum = (Math.imul(sum, 31) + byte) | 0;
  if (sum !== told.getInt32(4, true)) throw new TypeError("it is spoilt");
  const numbers = new DataView(packed.buffer);
  const number = (at) => numbers.getUint32(4 * at, true);
  const [size, functions, head, tail] = [0, 1, 2, 3].map(number);
  const at = [];
  let end = 4 * (4 + TYPES + 1) + head + tail;
  for (let stream = OPS; stream <= TYPES; stream++) {
    at.push(end);
    end += number(4 + stream);
  }
  const whole = new Uint8Array(size);
  const body = new Uint8Array(size);
  const lead = at[OPS] - head - tail;
  whole.set(packed.subarray(lead, lead + head));
  let written = head;
  let length;
  const bytes = (stream, count) => {
    while (count--) body[length++] = packed[at[stream]++];
  };
  const leb = (stream) => {
    let value = 0;
    let byte;
    let shift = 0;
    do {
      body[length++] = byte = packed[at[stream]++];
      value |= (byte & 127) << shift;
      shift += 7;
    } while (byte & 128);
    return value;
  };
  const lebs = (stream, count) => {
    while (count--) leb(stream);
  };
  for (let left = functions; left--; ) {
    length = 0;
    for (let groups = leb(TYPES); groups--; ) {
      leb(TYPES);
      bytes(TYPES, 1);
    }
    for (let depth = 1; depth; ) {
      const op = packed[at[OPS]];
      bytes(OPS, 1);
      if (op === 0x0b) depth--;
      else if (op === 0x20 || op === 0x21 || op === 0x22) leb(LOCALS);
      else if (op === 0x41) leb(I32);
      else if (op >= 0x28 && op <= 0x3e) {
        leb(ALIGNS);
        leb(OFFSETS);
      } else if (op === 0x10) leb(CALLS);
      else if (op === 0x0c || op === 0x0d) leb(BRANCHES);
      else if (op >= 0x02 && op <= 0x04) {
        depth++;
        leb(BLOCKS);
      } else if (op === 0x23 || op === 0x24) leb(GLOBALS);
      else if (op === 0x42) leb(I64);
      else if (op === 0x43) bytes(FLOATS, 4);
      else if (op === 0x44) bytes(FLOATS, 8);
      else if (op === 0x11) lebs(INDIRECT, 2);
      else if (op === 0x0e) lebs(TABLES, leb(TABLES) + 1);
      else if (op === 0x1c) lebs(REST, leb(REST));
      else if (op === 0xfc) {
        const more = leb(OPS);
        if (more > 7) lebs(REST, more === 9 || more === 11 || more === 13 || more > 14 ? 1 : 2);
      } else if (op === 0x25 || op === 0x26 || op === 0x3f || op === 0x40 || op === 0xd0 || op === 0xd2) leb(REST);
    }
    let rest = length;
    while (rest > 127) {
      whole[written++] = (rest & 127) | 128;
      rest >>= 7;
    }
    whole[written++] = rest;
    whole.set(body.subarray(0, length), written);
    written += length;
  }
  whole.set(packed.subarray(lead + head, lead + head + tail), written);
  return whole;
}
