"""Makes the two font subsets of this folder and the table of advance widths.

    python -m venv venv && venv/bin/pip install fonttools==4.68.0
    venv/bin/python subset_font.py FOLDER_WITH_ROBOTO_TTF

Source: Roboto 2.137 (2017-08-02), unhinted, as in Debian's `fonts-roboto-unhinted`, Apache License 2.0
(see LICENSE.txt). Kept: Latin-1, Latin Extended-A and a few signs. Dropped: hinting and layout tables, since
the drawing code sets glyph after glyph by their advance widths.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

HERE = Path(__file__).parent
FIRST, LAST = 0x20, 0x17F
SIGNS = [0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2026, 0x20AC, 0x2212, 0x2264, 0x2265]


def main(folder: Path) -> None:
    rows = []
    for weight in ("Regular", "Bold"):
        options = subset.Options()
        options.hinting = False
        options.layout_features = []
        options.drop_tables += ["GSUB", "GPOS", "GDEF", "kern", "DSIG", "LTSH", "VDMX", "hdmx", "gasp"]
        options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
        options.notdef_outline = True
        options.recalc_timestamp = False
        font = subset.load_font(str(folder / f"Roboto-{weight}.ttf"), options)
        subsetter = subset.Subsetter(options)
        points = [c for c in range(FIRST, LAST + 1) if not 0x7F <= c < 0xA0]
        subsetter.populate(unicodes=points + SIGNS)
        subsetter.subset(font)
        target = HERE / f"Roboto-{weight}-subset.ttf"
        subset.save_font(font, str(target), options)

        font = TTFont(str(target))
        units = font["head"].unitsPerEm
        cmap, advance = font.getBestCmap(), font["hmtx"]
        widths = [round(advance[cmap[c]][0] * 1000 / units) if c in cmap else 0 for c in range(FIRST, LAST + 1)]
        rows.append((weight, widths))
        print(target.name, target.stat().st_size, "bytes,", len(cmap), "characters")

    lines = [
        "//! Advance widths of the embedded font in thousandths of the font size, by code point from U+0020 to U+017F;",
        "//! 0 where there is no glyph. Written by `font/subset_font.py`; a test compares it with the font.",
        "",
    ]
    for weight, widths in rows:
        lines.append("#[rustfmt::skip]")
        lines.append(f"pub(crate) const {weight.upper()}: [u16; {len(widths)}] = [")
        for start in range(0, len(widths), 16):
            lines.append("    " + " ".join(f"{w}," for w in widths[start : start + 16]))
        lines.append("];")
        lines.append("")
    (HERE.parent / "src" / "advance.rs").write_text("\n".join(lines).rstrip() + "\n")


main(Path(sys.argv[1]))
