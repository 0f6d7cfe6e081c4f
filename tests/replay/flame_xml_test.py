# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The flame graph of hostile names is well-formed XML without code or links of its own:
flame_xml_test.py MAKE_TRACE COMMAND."""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def main():
    make_trace, command = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        trace = os.path.join(directory, "hostile.asrtrace")
        picture = os.path.join(directory, "flame.svg")
        subprocess.run([make_trace, trace, "hostile"], check=True)
        for kind in ("live", "growth", "faults"):
            subprocess.run([command, "flamegraph", trace, "--kind", kind, "-o", picture],
                           check=True)
            root = ElementTree.parse(picture).getroot()
            assert root.tag == SVG + "svg", root.tag
            assert len(list(root.iter(SVG + "script"))) == 1, "one script, ours"
            boxes = [g for g in root.iter(SVG + "g") if g.get("class") == "f"]
            assert boxes and all(0 <= float(box.get("data-x")) <= 1 for box in boxes)
            widest = max(float(box.get("data-w")) for box in boxes)
            assert widest == 1, widest
            titles = "".join(title.text for title in root.iter(SVG + "title"))
            assert "<script>alert(1)</script>" in titles, "shown as text"
            for element in root.iter():
                for name in element.attrib:
                    assert not name.endswith("href") and not name.startswith("on"), name


if __name__ == "__main__":
    main()
