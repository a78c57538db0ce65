// Reads LZMA: an eighth less on the way than what hosts compress with, which matters where they speak gzip alone. Written
// after the LZMA specification (lzma-specification.txt of the LZMA SDK, the sections are named by its words): a raw stream
// without header and end marker, whose contexts know one bit of the literal before and nothing of positions (lc=1, lp=0,
// pb=0, as xtask/src/parted.rs writes it). Knows nothing of what the bytes are.

const LITERAL_CONTEXT_BITS = 1;
// A probability is a number of 11 bits; it begins in the middle, and moves by a 32nd of what is wrong with it.
const MIDDLE = 1024;

// Where each kind of probability begins: they lie in one array.
const MATCH = 0;
const REP = MATCH + 12;
const REP_0 = REP + 12;
const REP_1 = REP_0 + 12;
const REP_2 = REP_1 + 12;
const REP_0_LONG = REP_2 + 12;
const SLOT = REP_0_LONG + 12;
const NEAR = SLOT + 4 * 64;
const ALIGN = NEAR + 128;
const LENGTH = ALIGN + 16;
const LENGTHS = 2 + 8 + 8 + 256;
const LITERAL = LENGTH + 2 * LENGTHS;

/** The `size` bytes that `packed` holds from `at` on, to its end. A TypeError when they did not arrive whole; who needs to
 * know that they are as they were sent has a sum of them. */
export function inflate(packed, at, size) {
  const out = new Uint8Array(size);
  const odds = new Uint16Array(LITERAL + (0x300 << LITERAL_CONTEXT_BITS)).fill(MIDDLE);
  // The range and the place in it: 32 bits each, which numbers of the language are not kept in for long.
  const coder = new Uint32Array([-1, 0]);
  const next = () => {
    coder[0] <<= 8;
    coder[1] = (coder[1] << 8) | packed[at++];
  };
  const bit = (which) => {
    if (coder[0] < 1 << 24) next();
    const odd = odds[which];
    const bound = (coder[0] >>> 11) * odd;
    if (coder[1] < bound) {
      coder[0] = bound;
      odds[which] = odd + ((2048 - odd) >> 5);
      return 0;
    }
    coder[0] -= bound;
    coder[1] -= bound;
    odds[which] = odd - (odd >> 5);
    return 1;
  };
  /** A number of `count` bits, the highest first. */
  const tree = (base, count) => {
    let node = 1;
    for (let left = count; left--; ) node = (node << 1) | bit(base + node);
    return node - (1 << count);
  };
  /** The same, the lowest first. */
  const turned = (base, count) => {
    let node = 1;
    let value = 0;
    for (let place = 0; place < count; place++) {
      const one = bit(base + node);
      node = (node << 1) | one;
      value |= one << place;
    }
    return value;
  };
  const direct = (count) => {
    let value = 0;
    while (count--) {
      if (coder[0] < 1 << 24) next();
      coder[0] >>>= 1;
      const one = coder[1] >= coder[0] ? 1 : 0;
      if (one) coder[1] -= coder[0];
      value = (value << 1) | one;
    }
    return value;
  };
  const length = (base) => {
    if (!bit(base)) return 2 + tree(base + 1, 3);
    if (!bit(base + 1)) return 10 + tree(base + 9, 3);
    return 18 + tree(base + 17, 8);
  };
  const distance = (long) => {
    const slot = tree(SLOT + 64 * Math.min(long - 2, 3), 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    // Unsigned: a distance that no program has is refused, not taken for one ahead.
    const begin = ((2 | (slot & 1)) << bits) >>> 0;
    if (slot < 14) return begin + turned(NEAR + begin - slot, bits);
    return begin + (direct(bits - 4) << 4) + turned(ALIGN, 4);
  };

  if (packed[at++]) throw new TypeError("it is spoilt");
  for (let left = 4; left--; ) next();
  coder[0] = -1;
  let [state, first, second, third, fourth, written] = [0, 0, 0, 0, 0, 0];
  while (written < size) {
    if (at > packed.length) throw new TypeError("it is cut short");
    if (!bit(MATCH + state)) {
      const base = LITERAL + 0x300 * ((written && out[written - 1]) >> (8 - LITERAL_CONTEXT_BITS));
      let node = 1;
      if (state > 6) {
        // After a match, what would have gone on with it says something of what comes in its place.
        let like = out[written - first - 1];
        while (node < 256) {
          const likely = (like >> 7) & 1;
          like <<= 1;
          const one = bit(base + ((1 + likely) << 8) + node);
          node = (node << 1) | one;
          if (one !== likely) break;
        }
      }
      while (node < 256) node = (node << 1) | bit(base + node);
      out[written++] = node;
      state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
      continue;
    }
    let long;
    if (!bit(REP + state)) {
      [fourth, third, second] = [third, second, first];
      long = length(LENGTH);
      first = distance(long);
      state = state < 7 ? 7 : 10;
    } else {
      if (!bit(REP_0 + state)) {
        if (!bit(REP_0_LONG + state)) long = 1;
      } else {
        let back = second;
        if (bit(REP_1 + state)) {
          back = third;
          if (bit(REP_2 + state)) {
            back = fourth;
            fourth = third;
          }
          third = second;
        }
        second = first;
        first = back;
      }
      const short = long;
      long ??= length(LENGTH + LENGTHS);
      state = state < 7 ? (short ? 9 : 8) : 11;
    }
    if (first >= written || written + long > size) throw new TypeError("it is spoilt");
    for (; long--; written++) out[written] = out[written - first - 1];
  }
  if (coder[0] < 1 << 24) next();
  // A whole stream ends just here, with nothing left to be told.
  if (coder[1] || at !== packed.length) throw new TypeError("it is spoilt");
  return out;
}
