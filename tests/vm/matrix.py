#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Live tests on other kernels: Debian's cloud kernels, each booted by QEMU without network or disk
from an initramfs that is made here and thrown away. Counts are asserted, never times.

    sudo tests/vm/matrix.py BUILD_DIR [--arch arm64] [--suite bookworm]... [--markdown FILE]
                            [--readme] [--keep DIR]

For arm64 BUILD_DIR is what preset arm64 built; the guest's programs are those of the directory that
tools/arm64-sysroot.sh made beside it. A row a kernel: what `asrtrace doctor` says there, and what
each test said; --readme writes the README's table anew. Exit status 1 if a kernel lacks what its
series must have (kernels.py), if a test fails where asrtrace must attach, or if it does not say what
is missing where it cannot.
"""

import argparse
import dataclasses
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import kernels as series

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(HERE, "..", "live")
README = os.path.join(HERE, "..", "..", "README.md")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITES = ("bullseye", "bookworm", "trixie", "sid")
BOOT_SECONDS = 1500

# What runs in the guest.
CASES = (
    ("exactness_test.py", "Exactness.test_eight_threads"),
    ("exactness_test.py", "Exactness.test_ways_to_attach_on_older_kernels"),
    ("exactness_test.py", "Exactness.test_blocks_from_before_the_attach"),
    ("mappings_test.py", "Mappings.test_over_what_is_mapped"),
    ("faults_test.py", "Faults.test_user_code_and_read"),
    ("requests_test.py", "Requests.test_leak_between_two_functions"),
    ("http_edges_test.py", "HttpEdges.test_connections_from_before_the_attach"),
    ("http_edges_test.py", "HttpEdges.test_conversations"),
    ("exactness_test.py", "Exactness.test_children_are_not_the_parent"),
    ("detach_test.py", "Detach.test_interrupt"),
    ("detach_test.py", "Detach.test_kill"),
)
PROGRAMS = ("bash", "python3", "bpftool", "mount", "mkdir", "ip", "cat", "sleep", "uname", "strace")


@dataclasses.dataclass(frozen=True)
class Machine:
    """What QEMU is, and how its guest is to use it."""
    arch: str  # as Debian calls it
    qemu: tuple
    console: str
    serial: str  # QEMU's device for a second serial port
    results: str  # what the guest calls it

    @property
    def kernel(self):
        """Names of packages; 7.x keeps the kernel itself in linux-binary."""
        return re.compile(rf"linux-(?:binary|image)-\d+\.\d+\.[^ ]*(?<!rt)-cloud-{self.arch}$")


# Its processors take turns on one thread: emulated side by side they see the kernel patch itself too
# late (an int3 of text_poke that nobody expects any more, 6.12).
MACHINES = {machine.arch: machine for machine in (
    Machine("amd64", ("qemu-system-x86_64", "-machine", "q35", "-cpu", "max,-cx16"), "ttyS0",
            "isa-serial", "ttyS1"),
    # The architecture's own algorithm of pointer authentication takes most of the time emulated.
    Machine("arm64", ("qemu-system-aarch64", "-machine", "virt", "-cpu", "max,pauth-impdef=on"),
            "ttyAMA0", "pci-serial", "ttyS0"))}


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


class Kernels:
    """Debian's kernels, by an apt whose state is its own: nothing is installed."""

    def __init__(self, directory, machine):
        self._directory = directory
        self._machine = machine
        targets = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)",
                      "Created-By: Packages")
        self._mirror = next(line.split()[0] for line in targets.splitlines()
                            if line.endswith(" bookworm"))

    def _apt(self, suite):
        state = os.path.join(self._directory, suite)
        for part in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(state, part), exist_ok=True)
        source = os.path.join(state, "sources.list")
        with open(source, "w", encoding="utf-8") as file:
            file.write(f"deb [signed-by={KEYRING}] {self._mirror} {suite} main\n")
        open(os.path.join(state, "status"), "a", encoding="utf-8").close()
        arch = self._machine.arch
        return ["-o", f"APT::Architecture={arch}", "-o", f"APT::Architectures={arch}", "-o",
                f"Dir::Etc::SourceList={source}", "-o", "Dir::Etc::SourceParts=-", "-o",
                f"Dir::State::Lists={state}/lists", "-o", f"Dir::State::status={state}/status",
                "-o", f"Dir::Cache={state}/cache", "-o", "Acquire::Check-Valid-Until=false", "-o",
                "APT::Sandbox::User=root", "-o", "Acquire::Retries=5"]

    def fetch(self, suite):
        """The path of the vmlinuz of a suite's newest cloud kernel."""
        apt = self._apt(suite)
        run("apt-get", *apt, "update")
        names = [name for name in run("apt-cache", *apt, "pkgnames").split()
                 if self._machine.kernel.match(name)]
        # By version; of equals linux-binary, which sorts before linux-image.
        newest = sorted(names, key=lambda name: (version_key(name.split("-", 2)[2]),
                                                 name.startswith("linux-binary")))[-1]
        state = os.path.join(self._directory, suite)
        run("apt-get", *apt, "download", newest, cwd=state)
        deb = next(name for name in os.listdir(state) if name.startswith(newest + "_"))
        unpacked = os.path.join(state, "unpacked")
        run("dpkg", "-x", os.path.join(state, deb), unpacked)
        return next(os.path.join(folder, name) for folder, _, names in os.walk(unpacked)
                    for name in names if name.startswith("vmlinuz"))


def version_key(version):
    return [int(part) for part in re.findall(r"\d+", version)]


class Host:
    """Where the guest's programs come from: this machine."""

    def program(self, name):
        return os.path.realpath(shutil.which(name, path="/usr/bin:/usr/sbin"))

    def modules_of_python(self):
        path = run("/usr/bin/python3", "-c",
                   "import sysconfig; print(sysconfig.get_path('stdlib'))").strip()
        return path, path

    def libraries(self, path):
        """(file, where it belongs) of all that a program or library needs."""
        for line in subprocess.run(["ldd", path], stdout=subprocess.PIPE, check=False, text=True,
                                   stderr=subprocess.DEVNULL).stdout.splitlines():
            library = re.search(r"(/[^ ]+) \(0x", line)
            if library:
                yield library[1], library[1]


class Sysroot:
    """The same, of another architecture's packages unpacked in a directory."""

    def __init__(self, root):
        self._root = root
        self._needed = {}

    def program(self, name):
        return next(path for folder in ("usr/bin", "usr/sbin")
                    if os.path.isfile(path := os.path.join(self._root, folder, name)))

    def modules_of_python(self):
        path = glob.glob(os.path.join(self._root, "usr/lib/python3.[0-9]*"))[0]
        return path, "/" + os.path.relpath(path, self._root)

    def _libraries_named(self, path):
        if path not in self._needed:
            said = subprocess.run(["readelf", "-dl", path], stdout=subprocess.PIPE, check=False,
                                  text=True, stderr=subprocess.DEVNULL).stdout
            names = re.findall(r"\(NEEDED\).*\[([^/\]]+)\]", said)
            self._needed[path] = names + re.findall(r"interpreter: /lib/([^\]]+)\]", said)
        return self._needed[path]

    def libraries(self, path):
        found, waiting = {}, [path]
        while waiting:
            for name in self._libraries_named(waiting.pop()):
                for folder in ("/usr/lib", "/usr/lib/aarch64-linux-gnu"):
                    library = os.path.join(self._root, folder[1:], name)
                    if name not in found and os.path.isfile(library):
                        found[name] = library, os.path.join(folder, name)
                        waiting.append(library)
        return found.values()


class Image:
    """An initramfs: programs with their libraries, Python, the tests and what they trace."""

    def __init__(self, root, source):
        self._root = root
        self._source = source
        for folder in ("dev", "proc", "sys", "tmp", "root", "etc", "run", "var/tmp"):
            os.makedirs(os.path.join(root, folder))
        for link in ("bin", "sbin", "lib", "lib64"):
            os.makedirs(os.path.join(root, "usr", link))
            os.symlink("usr/" + link, os.path.join(root, link))

    def put(self, source, target=None):
        target = self._root + os.path.realpath(os.path.dirname(target or source)) + "/" + \
            os.path.basename(target or source)
        if os.path.exists(target):
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(source, target)

    def program(self, path, target=None):
        self.put(path, target)
        for library, there in self._source.libraries(path):
            self.put(library, there)

    def tree(self, source, target, skip=()):
        for folder, folders, names in os.walk(source):
            folders[:] = [name for name in folders if name not in skip]
            for name in names:
                path = os.path.join(folder, name)
                there = os.path.join(target, os.path.relpath(path, source))
                if os.access(path, os.X_OK) or ".so" in name:
                    self.program(path, there)
                else:
                    self.put(path, there)

    def pack(self, path):
        with open(path, "wb") as out:
            names = subprocess.Popen(["find", ".", "-print0"], cwd=self._root,
                                     stdout=subprocess.PIPE)
            subprocess.run(["cpio", "--quiet", "--null", "--create", "--format=newc"], check=True,
                           cwd=self._root, stdin=names.stdout, stdout=out)
            names.wait()


def make_image(build, source, path):
    with tempfile.TemporaryDirectory() as root:
        image = Image(root, source)
        for name in PROGRAMS:
            image.program(source.program(name), "/usr/bin/" + name)
        python, there = source.modules_of_python()
        image.tree(python, there, skip=("__pycache__", "test", "idlelib", "tkinter", "lib2to3",
                                         "ensurepip", "distutils", "dist-packages"))
        image.program(os.path.join(build, "bin", "asrtrace"), "/build/bin/asrtrace")
        image.tree(os.path.join(build, "progs"), "/build/progs")
        image.tree(TESTS, "/tests/live", skip=("__pycache__",))
        image.put(os.path.join(HERE, "guest.py"), "/tests/guest.py")
        image.put(os.path.join(HERE, "init"), "/init")
        with open(os.path.join(root, "tests", "cases.json"), "w", encoding="utf-8") as file:
            json.dump(CASES, file)
        image.pack(path)


def boot(machine, kernel, image, directory):
    """Runs the guest to its end; returns its lines: JSON, one a result."""
    console, results = (os.path.join(directory, name) for name in ("console", "results"))
    subprocess.run(
        ["nice", *machine.qemu, "-accel", "tcg,thread=single", "-smp", "2", "-m", "2048", "-kernel",
         kernel, "-initrd", image, "-append",
         # An emulated timer is late where other work keeps the processors, and is taken for broken.
         f"console={machine.console} panic=-1 quiet no_timer_check RESULTS={machine.results}",
         "-no-reboot", "-nic", "none", "-display", "none", "-serial", f"file:{console}", "-chardev",
         f"file,id=results,path={results}", "-device", f"{machine.serial},chardev=results"],
        check=True, timeout=BOOT_SECONDS, stdin=subprocess.DEVNULL)
    with open(results, encoding="utf-8", errors="replace") as file:
        lines = [json.loads(line) for line in file if line.startswith("{")]
    if not lines or "end" not in lines[-1]:
        with open(console, encoding="utf-8", errors="replace") as file:
            sys.stderr.write(file.read()[-3000:])
        raise RuntimeError(f"{kernel}: the guest did not come to its end")
    return lines


class Row:
    """What a kernel did."""

    def __init__(self, arch, lines):
        self.arch = arch
        self.release = next(line["release"] for line in lines if "release" in line)
        self.features = next(line["doctor"] for line in lines if "doctor" in line)
        self.refusal = next((line["refusal"] for line in lines if "refusal" in line), None)
        self.results = {line["case"]: line for line in lines if "case" in line}

    @property
    def series(self):
        return series.series_of(self.release)

    def passed(self):
        return sum(result["ok"] for result in self.results.values())

    def wrong(self):
        """What is not as it must be on such a kernel, with what was said."""
        must = series.expected(self.series, self.arch)
        for name in sorted(must.keys() | self.features.keys()):
            if self.features.get(name) != must.get(name):
                yield f"{name} is {self.features.get(name)}, must be {must.get(name)}", ""
        lacks = series.missing(must)
        if lacks is None:
            for _, case in CASES:
                result = self.results.get(case, {"ok": False, "text": "no result"})
                if not result["ok"]:
                    yield f"{case} fails", result["text"]
        elif self.refusal is None or self.refusal["status"] != 2 or \
                lacks not in self.refusal["text"]:
            yield f"attach does not end with status 2 for want of {lacks}", str(self.refusal)


def show(rows, out):
    features = list(rows[0].features)
    print("| | " + " | ".join(row.release for row in rows) + " |", file=out)
    print("|---" * (len(rows) + 1) + "|", file=out)
    for feature in features:
        print(f"| {feature} | " + " | ".join("yes" if row.features[feature] else "no"
                                             for row in rows) + " |", file=out)
    words = {True: "passes", False: "fails", None: "-"}
    for _, case in CASES:
        cells = [words[row.results.get(case, {}).get("ok")] for row in rows]
        print(f"| `{case}` | " + " | ".join(cells) + " |", file=out)


def write_readme(rows):
    with open(README, encoding="utf-8") as file:
        text = file.read()
    arch = rows[0].arch
    table = series.table(arch, [(row.series, row.features, row.passed()) for row in rows],
                         len(CASES))
    with open(README, "w", encoding="utf-8") as file:
        file.write(series.with_table(text, arch, table))


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--arch", choices=MACHINES, default="amd64")
    parser.add_argument("--suite", action="append")
    parser.add_argument("--markdown")
    parser.add_argument("--readme", action="store_true", help="of all suites")
    parser.add_argument("--keep", metavar="DIR", help="kernels and the guests' output stay here")
    options = parser.parse_args(arguments)
    if options.readme and options.suite:
        parser.error("--readme is of all suites")
    rows, status = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        directory = options.keep or scratch
        os.makedirs(directory, exist_ok=True)
        image = os.path.join(directory, "initramfs")
        machine = MACHINES[options.arch]
        source = Host() if machine.arch == "amd64" else Sysroot(
            os.path.join(options.build, "..", f"{machine.arch}-sysroot"))
        make_image(options.build, source, image)
        kernels = Kernels(directory, machine)
        for suite in options.suite or SUITES:
            kernel = kernels.fetch(suite)
            row = Row(machine.arch, boot(machine, kernel, image, os.path.join(directory, suite)))
            rows.append(row)
            for what, said in row.wrong():
                status = 1
                print(f"{row.release}: {what}\n{said}", file=sys.stderr)
            print(f"{row.release}: {row.passed()} of {len(CASES)} pass"
                  if row.refusal is None else f"{row.release}: does not attach", flush=True)
    if options.readme and status == 0:
        write_readme(rows)
    if options.markdown:
        with open(options.markdown, "w", encoding="utf-8") as file:
            show(rows, file)
    show(rows, sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
