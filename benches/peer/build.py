"""Gets llama.cpp out of the source package of llama_cpp_python and builds it, once for each instruction set; builds
Ocelli; makes the model files."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

PACKAGE = ("llama_cpp_python", "0.3.36")
PROGRAMS = ["llama-bench", "llama-mtmd-cli", "llama-completion"]
AMX = ["amx-tile", "amx-int8", "amx-bf16"]


def flags():
    """What the CPU says it can do."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("flags", "Features")):
            return line.split(":", 1)[1].split()
    return []


def options(isa):
    """CMake's options: `avx2` is what every laptop has, `best` all that this CPU has but AMX, `amx` all."""
    if isa == "avx2":
        on = ["AVX", "AVX2", "FMA", "F16C", "BMI2"]
        return ["-DGGML_NATIVE=OFF", *(f"-DGGML_{name}=ON" for name in on)]
    without = " ".join(f"-mno-{name}" for name in AMX) if isa == "best" and "amx_tile" in flags() else ""
    return ["-DGGML_NATIVE=ON", f"-DCMAKE_C_FLAGS={without}", f"-DCMAKE_CXX_FLAGS={without}"]


def call(*command, **how):
    print("+", *command, file=sys.stderr, flush=True)
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr, **how)


def source(work):
    """The folder of llama.cpp's source."""
    name, version = PACKAGE
    folder = work / f"{name}-{version}"
    if not folder.exists():
        archives = list(work.glob(f"{name}-{version}.tar.gz"))
        if not archives:
            pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", name]
            call(*pip, "-d", work, f"{name}=={version}")
            archives = list(work.glob(f"{name}-{version}.tar.gz"))
        call("tar", "-xzf", archives[0], "-C", work)
    return folder / "vendor" / "llama.cpp"


def tools(work):
    """An environment in which cmake and ninja are found: the system's, or packages in a folder of their own."""
    if shutil.which("cmake") and shutil.which("ninja"):
        return dict(os.environ)
    folder = work / "tools"
    if not (folder / "bin" / "ninja").exists():
        venv.create(folder, with_pip=True)
        call(folder / "bin" / "pip", "install", "--quiet", "--only-binary", ":all:", "cmake", "ninja")
    return {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}


def peer(work, isa, jobs):
    """The folder of llama.cpp's programs for an instruction set; they are built if they are not there.

    All share one build folder: between `avx2` and `best` only the options of ggml's CPU part differ, so that only it
    is compiled again.
    """
    programs = work / isa
    if all((programs / name).exists() for name in PROGRAMS):
        return programs
    llama, build, environment = source(work), work / "build", tools(work)
    off = ["LLAMA_CURL", "LLAMA_BUILD_SERVER", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_UI", "LLAMA_OPENSSL"]
    off += ["GGML_CCACHE", "BUILD_SHARED_LIBS"]
    call(
        "cmake", "-G", "Ninja", "-S", llama, "-B", build, "-DCMAKE_BUILD_TYPE=Release",
        *(f"-D{name}=OFF" for name in off), *options(isa), env=environment,
    )  # fmt: skip
    call("nice", "cmake", "--build", build, "-j", jobs, "--target", *PROGRAMS, env=environment)
    programs.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        shutil.copy(build / "bin" / name, programs / name)
    return programs


def ocelli(root):
    """Ocelli's program, as users build it."""
    command = ["cargo", "build", "--release", "--locked", "--message-format=json-render-diagnostics"]
    built = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in built.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "ocelli":
            return Path(message["executable"])
    raise SystemExit("cargo did not say where the program is")


def synthesize(program, row, folder):
    """Makes the files of a row that are missing."""
    for tower in {row.tower, row.peer_tower or row.tower}:
        names = [f"{row.shape}-{row.type}.gguf", *([f"mmproj-{row.shape}-{tower}.gguf"] if tower else [])]
        if not all((folder / name).exists() for name in names):
            command = [program, "synthesize", row.shape, "--type", row.type, "-o", folder, "--force"]
            call(*command, "--mmproj-type", tower or "none")
