"""The two engines, asked the same things by their own command lines. All answers are seconds (memory: bytes).

Both begin cold for a photo, for loading and for memory: one process, one question, as a user meets them. For prefill
and decode both do everything once before it is measured. Memory is the largest resident size that the system counted.
`under` is what a program is started by, such as valgrind.
"""

import json
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass

QUESTION = "What is in the picture?"
TELL = "Tell me a story about a lighthouse keeper and the sea."
CONTEXT = "2048"


class Failed(Exception):
    """An engine did not do what it was asked."""


@dataclass
class Ran:
    out: str
    err: str
    wall: float
    cpu: float  # seconds of processor time
    peak: int  # bytes


def run(command, env=None, until=None):
    """Runs to the end, or until a line of standard error contains `until`."""
    command = [str(part) for part in command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        env = {**os.environ, **(env or {})}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env)
        try:
            stopped = until is not None and _wait_for(process, err, until)
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()  # a race that is stopped leaves nothing running
            raise
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        out, err = (file.read().decode("utf-8", "replace") for file in (out, err))
    if process.returncode != 0 and not stopped:
        raise Failed(f"{' '.join(command)}\nended with {process.returncode}:\n{err[-2000:]}")
    return Ran(out, err, wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def _wait_for(process, err, text):
    """Ends the process once the text is there; false where it ended by itself."""
    while True:
        seen = os.pread(err.fileno(), 1 << 24, 0)
        if text.encode() in seen:
            process.kill()
            return True
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
        time.sleep(0.02)


def forced(isa):
    """Ocelli's environment: `avx2` is forced, otherwise it chooses."""
    return {"OCELLI_ISA": isa} if isa == "avx2" else None


class Ocelli:
    """`ocelli run --json` and `ocelli bench --format json`."""

    def __init__(self, program, under=()):
        self.program, self.under = program, under

    def _bench(self, model, isa, threads, prompt, generate):
        command = [self.program, "bench", "--model", model, "--threads", threads, "--prompt", prompt, "--depth", 0]
        command += ["--generate", generate, "--runs", 1, "--format", "json"]
        ran = run(command, forced(isa))
        return {row["figure"]: row for row in json.loads(ran.out)["rows"]}, ran

    def ask(self, model, tower, photo, question, isa, threads, tokens, image_tokens=None, raw=False):
        command = [*self.under, self.program, "run", "--json", "--model", model, "--threads", threads]
        command += ["--context", CONTEXT, "--max-tokens", tokens]
        if photo:
            command += ["--mmproj", tower, "--image", photo]
        else:
            command += ["--no-mmproj"]
        if image_tokens:
            command += ["--image-tokens", image_tokens]
        if raw:
            command += ["--raw"]
        ran = run([*command, question], forced(isa))
        answer = json.loads(ran.out)
        if len(answer["ids"]) < tokens:
            raise Failed(f"{model}: ocelli ended its answer after {len(answer['ids'])} of {tokens} tokens")
        return answer, ran

    def text(self, files, isa, threads, prompt, generate):
        rows, ran = self._bench(files[0], isa, threads, prompt or 1, generate or 1)
        out = {}
        if prompt:
            out["prefill"] = prompt / rows["prefill"]["median"]
        if generate:
            out["decode"] = generate / rows["decode"]["median"]
            out["bandwidth"] = rows["decode"]["percent"]
        return out, ran

    def photo(self, files, photo, isa, threads, tokens):
        answer, ran = self.ask(*files, photo.path, QUESTION, isa, threads, tokens, photo.image_tokens)
        views = answer["image_tokens"] / photo.per_view
        whole = ran.wall - answer["ms"]["load"] / 1e3
        first = whole - answer["ms"]["generate"] / 1e3
        out = {"encode": answer["ms"]["encode"] / 1e3 / views, "first-token": first, "answer": whole}
        return {**out, "views": views}, ran

    def preprocess(self, files, photo, isa, threads):
        answer, ran = self.ask(*files, photo.path, QUESTION, isa, threads, 1, photo.image_tokens)
        views = answer["image_tokens"] / photo.per_view
        return {"preprocess": answer["ms"]["resize"] / 1e3, "views": views}, ran

    def load(self, files, isa, threads):
        answer, ran = self.ask(files[0], None, None, TELL, isa, threads, 1)
        times = answer["ms"]
        return {"load": ran.wall - (times["prefill"] + times["generate"]) / 1e3}, ran

    def memory(self, files, photo, isa, threads):
        if photo:
            answer, ran = self.ask(*files, photo.path, QUESTION, isa, threads, 4, photo.image_tokens)
        else:
            answer, ran = self.ask(*files, None, TELL, isa, threads, 4)
        bill = sum(answer["bytes"][part] for part in ("weights", "arena", "kv", "io"))
        return {"memory": ran.peak, "bill": bill}, ran


# Minutes.seconds.milliseconds.microseconds since the process began, a letter, the message.
STAMP = re.compile(r"^(\d+)\.(\d\d)\.(\d{3})\.(\d{3}) \w (.*)$", re.M)


def _log(err):
    for m in STAMP.finditer(err):
        yield int(m[1]) * 60 + int(m[2]) + int(m[3]) / 1e3 + int(m[4]) / 1e6, m[5]


def _at(log, text):
    found = [time for time, line in log if text in line]
    if not found:
        raise Failed(f"llama.cpp's log has no line with {text!r}")
    return found[0]


class Peer:
    """llama-bench, llama-mtmd-cli and llama-completion, with their defaults but for what makes both do the same."""

    # No search for what fits into a GPU's memory, no run before the first, answers of a fixed length.
    SAME = ["-fit", "off", "--no-warmup", "--ignore-eos", "--temp", 0, "-c", CONTEXT]

    def __init__(self, folders, under=()):
        self.folders, self.under = folders, under  # instruction set -> folder of programs

    def _program(self, isa, name):
        return self.folders[isa] / name

    def see(self, files, photo, isa, threads, tokens, verbosity=4, until=None):
        command = [*self.under, self._program(isa, "llama-mtmd-cli"), "-m", files[0], "-mm", files[1]]
        command += ["--image", photo.path, "-p", QUESTION, "-n", tokens, "-t", threads, "-lv", verbosity, *self.SAME]
        if photo.peer_tokens:
            command += ["--image-max-tokens", photo.peer_tokens]
        if photo.template:
            command += ["--chat-template", photo.template]
        return run(command, until=until)

    def text(self, files, isa, threads, prompt, generate):
        command = [self._program(isa, "llama-bench"), "-m", files[0], "-t", threads, "-p", prompt, "-n", generate]
        ran = run([*command, "-r", 1, "-o", "json"])
        rows = json.loads(ran.out)
        out = {}
        for row in rows:
            out["prefill" if row["n_prompt"] else "decode"] = row["avg_ns"] / 1e9
        return out, ran

    def photo(self, files, photo, isa, threads, tokens):
        ran = self.see(files, photo, isa, threads, tokens)
        log = list(_log(ran.err))
        ready, end = _at(log, "main: loading model"), _at(log, "total time =")
        times = {}
        for name in ("load", "total"):
            times[name] = float(re.search(rf" {name} time = +([\d.]+) ms", ran.err)[1]) / 1e3
        encode = sum(map(int, re.findall(r"encoding done in (\d+) ms", ran.err))) / 1e3
        views = sum(map(int, re.findall(r"decoding image batch .* n_tokens_batch = (\d+)", ran.err))) / photo.per_view
        # Its "load" ends when the prompt has been read, and it and "total" begin together.
        first = end - times["total"] + times["load"] - ready
        return {"encode": encode / views, "first-token": first, "answer": end - ready, "views": views}, ran

    def preprocess(self, files, photo, isa, threads):
        ran = self.see(files, photo, isa, threads, 1, verbosity=5, until="encoding mtmd batch")
        log = list(_log(ran.err))
        views = 1 + int(re.search(r"preproc_out has (\d+) entries", ran.err)[1])
        # The prompt is shown when the photo has been decoded, the views are counted when they have been made.
        return {"preprocess": _at(log, "preproc_out has") - _at(log, "formatted_chat.prompt"), "views": views}, ran

    def complete(self, files, isa, threads, tokens, prompt=TELL):
        command = [*self.under, self._program(isa, "llama-completion"), "-m", files[0], "-p", prompt]
        return run([*command, "-n", tokens, "-t", threads, "-no-cnv", "-lv", 4, *self.SAME])

    def load(self, files, isa, threads):
        ran = self.complete(files, isa, threads, 1)
        return {"load": _at(list(_log(ran.err)), "generate: n_ctx")}, ran

    def memory(self, files, photo, isa, threads):
        ran = self.see(files, photo, isa, threads, 4) if photo else self.complete(files, isa, threads, 4)
        return {"memory": ran.peak}, ran
