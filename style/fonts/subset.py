"""Makes geist-mono.woff2: the glyphs that the page writes, cut out of Geist Mono.

Run once, by hand, when the font or the glyphs change; the result is committed:

    npm pack geist@1.7.2 && tar xzf geist-1.7.2.tgz
    python3 -m pip install fonttools==4.68.0 brotli==1.2.1
    python3 subset.py package/dist/fonts/geist-mono/GeistMono-Variable.ttf geist-mono.woff2

The package `@fontsource-variable/geist-mono` is cut already and has no → ← ≈.
"""

import sys

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.ttLib.scaleUpem import scale_upem
from fontTools.varLib import instancer
from fontTools.varLib.iup import iup_delta

# ASCII and the marks of the page's own sentences. Other letters of Latin-1 would cost 4 KB of a first visit: they
# are shown in the system's monospace.
CODEPOINTS = set(range(0x20, 0x7F)) | {0xA0}
CODEPOINTS |= {ord(mark) for mark in "·…×→←↑↓–—‘’“”#°≈●○"}
# The font has no ✕: it shows the glyph of ×, rather than one of another font beside it.
ALIASES = {0x2715: 0xD7}
# What the page sets: 400 for text, 600 for names.
WEIGHTS = (400, 600)
# Units of an em, 1000 in the original: coarser ones make smaller numbers. All heights of lines and the width of a letter
# are whole in these too. At 13 pixels a unit is a thirtieth of a pixel, and nothing moves by more than one.
UNITS = 400
TOLERANCE = 1


def main(source: str, target: str) -> None:
    """Cuts `source` (TTF) down and writes `target` (WOFF2)."""
    font = TTFont(source, recalcTimestamp=False)
    for table in font["cmap"].tables:
        if table.isUnicode():
            for alias, original in ALIASES.items():
                table.cmap[alias] = table.cmap[original]

    options = subset.Options()
    options.flavor = "woff2"
    # Every digit of a monospaced font is as wide as the next, so `tnum` needs no feature.
    # Letters are as wide at any weight, and nothing asks how high an x is.
    options.hinting = False
    options.name_IDs = [0, 1, 2, 13, 14]
    options.drop_tables += ["STAT", "meta", "DSIG", "GSUB", "GPOS", "GDEF", "HVAR", "MVAR"]
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=CODEPOINTS | set(ALIASES))
    cutter.subset(font)
    font = instancer.instantiateVariableFont(font, {"wght": WEIGHTS})
    scale_upem(font, UNITS)
    thin_out(font)

    missing = (CODEPOINTS | set(ALIASES)) - set(font.getBestCmap())
    if missing:
        sys.exit("not in the font: " + " ".join(chr(point) for point in sorted(missing)))
    widths = {font["hmtx"][font.getBestCmap()[ord(digit)]][0] for digit in "0123456789"}
    if len(widths) != 1:
        sys.exit(f"the digits are not of one width: {sorted(widths)}")
    subset.save_font(font, target, options)


def thin_out(font: TTFont) -> None:
    """Leaves out of the weights what the points between two others give anyway."""
    outlines, widths = font["glyf"], font["hmtx"].metrics
    for glyph, variations in font["gvar"].variations.items():
        points, control = outlines._getCoordinatesAndControls(glyph, widths)
        for variation in variations:
            moved = iup_delta(variation.coordinates, points, list(control.endPts))
            variation.coordinates = [(round(x), round(y)) for x, y in moved]
            variation.optimize(points, control.endPts, TOLERANCE, outlines[glyph].isComposite())


if __name__ == "__main__":
    main(*sys.argv[1:])
